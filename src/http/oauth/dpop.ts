import { isDpopNonce, makeDpopNonce } from '../../oauth/dpop-nonce.ts'
import { replayDigest } from '../../oauth/replay-digest.ts'
import type { VerifiedToken, Verifier, VerifyCall } from '../../sdk/create-verifier.ts'
import { dpopVerifier } from '../../sdk/dpop.ts'
import { checkDpopProof, type DpopProof } from '../../sdk/dpop-proof.ts'
import type { AppContext } from '../context.ts'
import { OAuthError } from './oauth-error.ts'

type Demands = { requireNonce: boolean; accessToken?: string }

/**
 * The key that a request proves to hold, by its `DPoP` header (RFC 9449, 4.3); null without one. The proof is consumed: whoever sends it
 * again is refused. From then on every answer to the request carries the nonce for the next proof.
 *
 * `requireNonce` is for the token endpoint and PAR, where a proof that was made in stock could be worth something; clients of FAPI 2 and the
 * common libraries repeat a request that is answered `use_dpop_nonce` by themselves. A nonce that is sent must be good in any case.
 *
 * Where the client authenticates as well, its two halves go before and after that: a client assertion is not used up by a request that has
 * to be repeated for its nonce, and no stranger makes us remember proofs.
 *
 * @throws OAuthError `invalid_dpop_proof` or `use_dpop_nonce`, both with `DPoP-Nonce`.
 */
export async function readDpopProof(c: AppContext, demands: Demands): Promise<{ jkt: string } | null> {
  const proof = await checkRequestProof(c, demands)
  if (proof === null) return null
  await consumeProof(c, proof)
  return { jkt: proof.jkt }
}

/** The first half: all but whether the proof was seen before. */
export async function checkRequestProof(c: AppContext, { requireNonce, accessToken }: Demands): Promise<DpopProof | null> {
  const header = c.req.header('DPoP')
  if (header === undefined) return null
  const { ring, config } = c.get('services')
  const now = Math.floor(Date.now() / 1000)
  const nonce = await makeDpopNonce(ring, now)
  // What is set on the context's response before there is one goes over to whichever is made in the end.
  c.res.headers.set('DPoP-Nonce', nonce)
  const check = await checkDpopProof(header, {
    now,
    method: c.req.method,
    url: `${config.issuer}${new URL(c.req.url).pathname}`,
    accessToken,
    isNonce: (given) => (given === null ? !requireNonce : isDpopNonce(ring, given, now)),
  })
  if (check.ok) return check
  const description = check.error === 'use_dpop_nonce' ? 'The proof needs the nonce of DPoP-Nonce.' : 'The DPoP proof is not valid.'
  throw new OAuthError(check.error, description, { reason: `DPoP: ${check.reason}`, headers: { 'DPoP-Nonce': nonce } })
}

/** The second half: exactly one of those who send a proof gets past here. */
export async function consumeProof(c: AppContext, proof: DpopProof): Promise<void> {
  if (!(await isFirstUse(c, proof))) throw new OAuthError('invalid_dpop_proof', 'The DPoP proof was used before.')
}

/** The bound access token of a request to a route of ours (RFC 9449, 7), each proof good once. Rejects as `dpopVerifier` does. */
export function verifyBoundToken(c: AppContext, verifier: Verifier, call?: VerifyCall): Promise<VerifiedToken> {
  const { issuer } = c.get('services').config
  return dpopVerifier({ verifier, origin: issuer, remember: (proof) => isFirstUse(c, proof) }).verify(c.req.raw, call)
}

async function isFirstUse(c: AppContext, { jkt, jti, expires_at }: Pick<DpopProof, 'jkt' | 'jti' | 'expires_at'>): Promise<boolean> {
  const digest = await replayDigest(jti)
  return c.get('objects').replayMemory(`dpop:${jkt}`, 'consume', (memory) => memory.consume(digest, expires_at), { repeatable: false })
}
