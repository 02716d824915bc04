import type { SigningAlgorithm } from '../keys/key.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { ACCESS_TOKEN_LIFETIME } from '../protocol/claims.ts'

/** The JOSE `typ` of an ID token: anything but an access token's (RFC 8725, 3.11). */
export const ID_TOKEN_TYP = 'JWT'

/** Seconds. A client reads it at once; its keys stay published for as long as an access token lives, and it must not outlive them. */
export const ID_TOKEN_LIFETIME = ACCESS_TOKEN_LIFETIME

/** What an ID token may say of a person, beside who it is (OpenID Connect Core, 5.1). */
export type ProfileClaims = { name?: string; email?: string; email_verified?: boolean }

export type IdTokenClaims = ProfileClaims & {
  iss: string
  sub: string
  aud: string
  exp: number
  iat: number
  auth_time: number
  nonce?: string
  acr?: string
  amr?: readonly string[]
  sid?: string
  at_hash?: string
  c_hash?: string
}

/** `now` and `auth_time` in integer seconds; `alg` is what the token will be signed with: it decides the hash of `at_hash` and `c_hash`. */
export type IdTokenFacts = {
  issuer: string
  client_id: string
  sub: string
  nonce: string | null
  auth_time: number
  acr: string
  amr: readonly string[]
  sid: string | null
  alg: SigningAlgorithm
  /** Those that it is handed out with. */
  access_token?: string
  code?: string
  profile?: ProfileClaims
  now: number
}

/**
 * The claims of an ID token (OpenID Connect Core, 2; `sid`: Back-Channel Logout, 2.1). Its one audience is the client that asked, so that no
 * `azp` is needed. Sign it with `{ alg, typ: ID_TOKEN_TYP }`.
 */
export async function idTokenClaims(facts: IdTokenFacts): Promise<IdTokenClaims> {
  const { nonce, sid, alg, access_token, code, now } = facts
  return {
    // First: what a person says of themselves must never stand in for what we say.
    ...facts.profile,
    iss: facts.issuer,
    sub: facts.sub,
    aud: facts.client_id,
    exp: now + ID_TOKEN_LIFETIME,
    iat: now,
    auth_time: facts.auth_time,
    acr: facts.acr,
    amr: facts.amr,
    ...(nonce === null ? {} : { nonce }),
    ...(sid === null ? {} : { sid }),
    ...(access_token === undefined ? {} : { at_hash: await halfHash(access_token, alg) }),
    ...(code === undefined ? {} : { c_hash: await halfHash(code, alg) }),
  }
}

/**
 * The left half of the hash that belongs to the signature's algorithm, base64url (Core, 3.1.3.6 and 3.3.2.11): SHA-256 for ES256 and RS256;
 * for EdDSA with Ed25519 SHA-512, which is the hash inside that signature (RFC 8032, 5.1): Core names none, and verifiers agreed on it.
 */
async function halfHash(value: string, alg: SigningAlgorithm): Promise<string> {
  const hash = await crypto.subtle.digest(alg === 'EdDSA' ? 'SHA-512' : 'SHA-256', new TextEncoder().encode(value))
  return encodeBase64url(new Uint8Array(hash, 0, hash.byteLength / 2))
}
