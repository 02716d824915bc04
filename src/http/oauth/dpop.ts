import { isDpopNonce, makeDpopNonce } from '../../oauth/dpop-nonce.ts'
import { replayDigest } from '../../oauth/replay-digest.ts'
import type { VerifiedToken, Verifier, VerifyCall } from '../../sdk/create-verifier.ts'
import { dpopVerifier } from '../../sdk/dpop.ts'
import { checkDpopProof } from '../../sdk/dpop-proof.ts'
import type { AppContext } from '../context.ts'
import { OAuthError } from './oauth-error.ts'

/**
 * The key that a request proves to hold, by its `DPoP` header (RFC 9449, 4.3); null without one. The proof is consumed: whoever sends it
 * again is refused. From then on every answer to the request carries the nonce for the next proof.
 *
 * `requireNonce` is for the token endpoint and PAR, where a proof that was made in stock could be worth something; clients of FAPI 2 and the
 * common libraries repeat a request that is answered `use_dpop_nonce` by themselves. A nonce that is sent must be good in any case.
 *
 * @throws OAuthError `invalid_dpop_proof` or `use_dpop_nonce`, both with `DPoP-Nonce`.
 */
export async function readDpopProof(
  c: AppContext,
  { requireNonce, accessToken }: { requireNonce: boolean; accessToken?: string },
): Promise<{ jkt: string } | null> {
  const proof = c.req.header('DPoP')
  if (proof === undefined) return null
  const { ring, config } = c.get('services')
  const now = Math.floor(Date.now() / 1000)
  const nonce = await makeDpopNonce(ring, now)
  // What is set on the context's response before there is one goes over to whichever is made in the end.
  c.res.headers.set('DPoP-Nonce', nonce)
  const check = await checkDpopProof(proof, {
    now,
    method: c.req.method,
    url: `${config.issuer}${new URL(c.req.url).pathname}`,
    accessToken,
    isNonce: (given) => (given === null ? !requireNonce : isDpopNonce(ring, given, now)),
  })
  const headers = { 'DPoP-Nonce': nonce }
  if (!check.ok) {
    const description = check.error === 'use_dpop_nonce' ? 'The proof needs the nonce of DPoP-Nonce.' : 'The DPoP proof is not valid.'
    throw new OAuthError(check.error, description, { reason: `DPoP: ${check.reason}`, headers })
  }
  if (await isFirstUse(c, check)) return { jkt: check.jkt }
  throw new OAuthError('invalid_dpop_proof', 'The DPoP proof was used before.', { headers })
}

/** The bound access token of a request to a route of ours (RFC 9449, 7), each proof good once. Rejects as `dpopVerifier` does. */
export function verifyBoundToken(c: AppContext, verifier: Verifier, call?: VerifyCall): Promise<VerifiedToken> {
  const { issuer } = c.get('services').config
  return dpopVerifier({ verifier, origin: issuer, remember: (proof) => isFirstUse(c, proof) }).verify(c.req.raw, call)
}

async function isFirstUse(c: AppContext, { jkt, jti, expires_at }: { jkt: string; jti: string; expires_at: number }): Promise<boolean> {
  const digest = await replayDigest(jti)
  return c.get('objects').replayMemory(`dpop:${jkt}`, 'consume', (memory) => memory.consume(digest, expires_at), { repeatable: false })
}
