import type { PublicJwk } from '../keys/key.ts'
import { parseJws } from '../sdk/parse-token.ts'
import { readStrictJson } from '../sdk/strict-json.ts'
import { importVerificationKey, verifySignature } from '../sdk/verify-signature.ts'
import { ID_TOKEN_TYP } from '../tokens/id-token.ts'

/** Whom and which session an ID token was about, and the client that it was for. */
export type IdTokenHint = { sub: string; sid: string | null; aud: string }

/**
 * Reads an `id_token_hint` (OpenID Connect Core, 3.1.2.1; RP-Initiated Logout, 2): an ID token of ours, expired or not, signed by one of
 * `keys`, the published set as it is now. Null: not ours, another kind of token, or signed by a key that has been revoked or is long gone.
 * It is a hint and no credential: whoever holds it has read what a client was once told.
 */
export async function readIdTokenHint(token: string, keys: readonly PublicJwk[], issuer: string): Promise<IdTokenHint | null> {
  const parsing = parseJws(token)
  if (!parsing.ok) return null
  const { header, payload, signed, signature } = parsing.jws
  const { alg, kid, typ } = header
  if (typ !== undefined && typ !== ID_TOKEN_TYP) return null
  const jwk = keys.find((each) => each.kid === kid && each.alg === alg)
  const key = jwk ? await importVerificationKey(jwk) : null
  if (!jwk || !key || !(await verifySignature(key, { alg: jwk.alg, signed, signature }))) return null
  const reading = readStrictJson(payload)
  return reading.ok ? hintOf(reading.value, issuer) : null
}

function hintOf(claims: unknown, issuer: string): IdTokenHint | null {
  if (typeof claims !== 'object' || claims === null) return null
  const { iss, sub, aud, exp, auth_time, sid = null } = claims as Record<string, unknown>
  // Every ID token of ours has these; a token of another kind that should ever be signed without a `typ` of its own has not.
  if (iss !== issuer || typeof exp !== 'number' || typeof auth_time !== 'number' || 'events' in claims) return null
  if (typeof sub !== 'string' || typeof aud !== 'string' || (sid !== null && typeof sid !== 'string')) return null
  return { sub, sid, aud }
}
