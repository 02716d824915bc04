import { TokenError, type VerifiedToken } from '../../sdk/index.ts'
import type { AppContext } from '../context.ts'
import { verifyBoundToken } from './dpop.ts'
import { readForm } from './form.ts'

const isForm = (c: AppContext) => /^application\/x-www-form-urlencoded\b/i.test(c.req.header('Content-Type') ?? '')

/**
 * The access token that a request to one of our own resources presents: as a bearer token in the header, or for a POST in the form (RFC
 * 6750, 2.1 and 2.2), or bound to a key, with its proof (RFC 9449, 7.1). One of them only. Checked `fresh`.
 */
export async function presentedToken(c: AppContext): Promise<VerifiedToken> {
  const { verifier } = c.get('services')
  const call = { freshness: 'fresh' as const, waitUntil: (work: Promise<unknown>) => c.executionCtx.waitUntil(work) }
  const authorization = c.req.header('Authorization')
  const inForm = c.req.method === 'POST' && isForm(c) ? (await readForm(c)).get('access_token') : undefined
  if (inForm !== undefined) {
    if (authorization !== undefined) throw new TokenError('token_malformed', 'a token in the header and one in the form')
    return verifier.verifyToken(inForm, call)
  }
  return /^dpop /i.test(authorization ?? '') ? verifyBoundToken(c, verifier, call) : verifier.verify(c.req.raw, call)
}
