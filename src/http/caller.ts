import { ACCOUNT_SCOPE } from '../config.ts'
import { readBearer } from '../protocol/bearer.ts'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { includesScope } from '../protocol/scope.ts'
import { TokenError } from '../sdk/index.ts'
import type { SessionProof, UnprovenSession } from '../sessions/prove.ts'
import { openSessionCookie } from '../tokens/session-cookie.ts'
import type { AppContext } from './context.ts'
import { readCookie, SESSION_COOKIE } from './cookies.ts'
import { requireOwnOrigin } from './origin.ts'
import { ApiError } from './problem.ts'

/** Who calls, before their account has been asked: whose account, and the proof to show it. */
export type Caller = { sub: string; proof: SessionProof }

const noSession = (reason: string) => new ApiError('no_session', { reason })

async function cookieCaller(c: AppContext, cookie: string): Promise<Caller> {
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') requireOwnOrigin(c)
  const opened = await openSessionCookie(c.get('services').ring, cookie)
  if (!opened) throw noSession('the cookie does not open')
  return { sub: opened.sub, proof: { kind: 'cookie', sid: opened.sid, secret: opened.secret } }
}

/** The caller named by the session cookie alone. */
export async function requireCookie(c: AppContext): Promise<Caller> {
  if (c.req.header('Authorization') !== undefined) throw new ApiError('two_credentials', { detail: 'This takes the session cookie only.' })
  const cookie = readCookie(c, SESSION_COOKIE)
  if (cookie === null) throw noSession('no cookie')
  return cookieCaller(c, cookie)
}

/**
 * The caller named by the session cookie, or by a first-party access token with the scope `account`. The signature, the claims and the
 * denial view are checked here; the account then makes it `live`: it proves the session in the transaction that does the work.
 */
export async function requireCaller(c: AppContext): Promise<Caller> {
  const cookie = readCookie(c, SESSION_COOKIE)
  const bearer = readBearer(c.req.raw.headers, c.req.url)
  if (!bearer.ok && bearer.error === 'missing') {
    if (cookie === null) throw noSession('no cookie, no token')
    return cookieCaller(c, cookie)
  }
  if (cookie !== null) throw new ApiError('two_credentials')
  const { verifier } = c.get('services')
  const { claims } = await verifier.verify(c.req.raw, { freshness: 'fresh', waitUntil: (work) => c.executionCtx.waitUntil(work) })
  if (claims.client_id !== FIRST_PARTY_CLIENT_ID || claims.sid === undefined || !includesScope(claims.scope, ACCOUNT_SCOPE)) {
    throw new TokenError('insufficient_scope', 'no first-party token with the scope account', { scope: ACCOUNT_SCOPE })
  }
  return { sub: claims.sub, proof: { kind: 'token', sid: claims.sid, ver: claims.ver } }
}

/** What an account's refusal of a proof becomes on the wire. */
export function unproven({ error }: UnprovenSession): ApiError | TokenError {
  if (error === 'outdated') return new TokenError('token_outdated', 'the account says outdated')
  return error === 'revoked' ? new TokenError('token_revoked', 'the account says revoked') : noSession('the session has ended or never was')
}
