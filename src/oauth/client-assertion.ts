import type { Client } from '../clients/client.ts'
import { ASSERTION_ALGORITHMS } from '../clients/client-keys.ts'
import { CLOCK_SKEW } from '../protocol/claims.ts'
import { importProofKey, PROOF_ALGORITHMS, proofAlgorithm } from '../sdk/proof-key.ts'
import { isNumericDate, isText, readStrictJws, type StrictJws } from '../sdk/strict-jws.ts'
import { verifySignature } from '../sdk/verify-signature.ts'

/** RFC 7523, 2.2: the one value of `client_assertion_type`. */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Seconds: the farthest `exp` that is taken, from now. One assertion is good once, so a client loses nothing by asking for less. */
export const MAX_ASSERTION_LIFETIME = 300

const MAX_JTI = 256
const MAX_KID = 128
/** Keys that are tried for an assertion without a `kid`: a set that is longer must name them. */
const MAX_TRIED = 4

/** `typ` is optional (RFC 7523bis asks for the last one); one that names another kind of token is refused. */
const types: readonly unknown[] = [undefined, 'JWT', 'jwt', 'client-authentication+jwt']

type Asked = Pick<Client, 'client_id' | 'token_endpoint_auth_signing_alg'>

/** What a client sends (RFC 7521, 4.2). */
export type PresentedAssertion = { client_assertion_type: string | undefined; client_assertion: string | undefined }

/** An assertion that says the right things; who signed it is still open. */
export type ReadAssertion = { jws: StrictJws; alg: string; kid: string | null; jti: string; exp: number }

export type AssertionReading = { ok: true; assertion: ReadAssertion } | { ok: false; reason: string }

/** `unknown_key`: no key of the client's set fits, so that a set which may have changed is worth another look. */
export type AssertionCheck =
  | { ok: true; jti: string; exp: number; expires_at: number }
  | { ok: false; error: 'invalid' | 'unknown_key'; reason: string }

/**
 * Everything that can be said of a client assertion before its signature (RFC 7523, 3; OpenID Connect Core, 9), so that a bad one fetches no
 * keys. `aud` is the issuer as a string and nothing else: an assertion for an endpoint or for a list could have been made for another
 * server that lied about its metadata. Never throws.
 */
export function readClientAssertion(presented: PresentedAssertion, client: Asked, issuer: string, now: number): AssertionReading {
  if (presented.client_assertion_type !== ASSERTION_TYPE) return unread('client_assertion_type')
  const reading = readStrictJws(presented.client_assertion ?? '')
  if (!reading.ok) return unread(reading.reason)
  const { header, payload } = reading.jws
  const { kid = null } = header
  if (!types.includes(header.typ)) return unread('typ')
  const alg = ASSERTION_ALGORITHMS.some((name) => name === header.alg) ? proofAlgorithm(header.alg) : null
  const { client_id, token_endpoint_auth_signing_alg } = client
  if (alg === null) return unread('alg')
  if (token_endpoint_auth_signing_alg !== null && proofAlgorithm(token_endpoint_auth_signing_alg) !== alg) {
    return unread('alg is not the one that the client registered')
  }
  if (kid !== null && !isText(kid, MAX_KID)) return unread('kid')
  const { iss, sub, aud, exp, nbf, iat, jti } = payload
  if (iss !== client_id) return unread('iss')
  if (sub !== client_id) return unread('sub')
  if (aud !== issuer) return unread('aud')
  if (!isNumericDate(exp) || exp <= now - CLOCK_SKEW) return unread('exp')
  if (exp > now + MAX_ASSERTION_LIFETIME + CLOCK_SKEW) return unread('exp is too far ahead')
  if (nbf !== undefined && (!isNumericDate(nbf) || nbf > now + CLOCK_SKEW)) return unread('nbf')
  if (iat !== undefined && (!isNumericDate(iat) || iat > now + CLOCK_SKEW)) return unread('iat')
  if (!isText(jti, MAX_JTI)) return unread('jti')
  return { ok: true, assertion: { jws: reading.jws, alg, kid, jti, exp } }
}

/**
 * Whether one of the client's keys signed it. `expires_at` (seconds): until then the `jti` must be remembered. Keys of a set need neither
 * `kid` nor `alg`; where the assertion names a `kid`, only a key of that name will do. Never throws.
 */
export async function verifyAssertionSignature(
  { jws, alg, kid, jti, exp }: ReadAssertion,
  keys: readonly unknown[],
): Promise<AssertionCheck> {
  const named = kid === null ? keys : keys.filter((jwk) => typeof jwk === 'object' && jwk !== null && 'kid' in jwk && jwk.kid === kid)
  const fitting = (await Promise.all(named.slice(0, MAX_KEYS).map((jwk) => importProofKey(jwk, alg)))).filter((key) => key !== null)
  if (fitting.length === 0) return { ok: false, error: 'unknown_key', reason: 'no key of the client fits' }
  if (fitting.length > MAX_TRIED) return { ok: false, error: 'invalid', reason: 'too many keys fit: a kid is needed' }
  for (const key of fitting) {
    if (await verifySignature(key, { alg, signed: jws.signed, signature: jws.signature }, PROOF_ALGORITHMS)) {
      return { ok: true, jti, exp, expires_at: Math.ceil(exp) + CLOCK_SKEW }
    }
  }
  // Without a `kid` nothing says that the key was among these.
  return { ok: false, error: kid === null ? 'unknown_key' : 'invalid', reason: 'signature' }
}

/** Keys of a set that are looked at. */
const MAX_KEYS = 32

const unread = (reason: string): AssertionReading => ({ ok: false, reason })
