// The strict reading of a compact JWS, before any cryptography (RFC 7515 7.1, RFC 8725 3, RFC 9068 2.1). A signature library alone takes
// padding, white space, spare bits, duplicate members and a missing `kid`, and so gives one token many spellings.

import { decodeBase64url } from '../protocol/base64url.ts'
import { MAX_BEARER_LENGTH } from '../protocol/bearer.ts'
import { ACCESS_TOKEN_TYP } from '../protocol/claims.ts'
import { readStrictJson } from './strict-json.ts'

/** The signature algorithms that a verifier can be told to accept (RFC 7518 3.1, RFC 8037 3.1). */
export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

/** A token taken apart; nothing in it is trustworthy yet. `signed` is what the signature must cover. */
export type ParsedToken = {
  alg: Algorithm
  kid: string
  payload: Record<string, unknown>
  signed: string
  signature: Uint8Array<ArrayBuffer>
}

/** The longest `kid` that is looked at, in characters. */
export const MAX_KID_LENGTH = 128

export type TokenParsing = { ok: true; token: ParsedToken } | { ok: false; reason: string }

const knownMembers = new Set(['alg', 'kid', 'typ'])

/** Takes an access token apart, or says why it is none. Never throws. */
export function parseToken(token: string, algorithms: readonly Algorithm[]): TokenParsing {
  if (token.length > MAX_BEARER_LENGTH) return refuse('too long')
  const [header, payload, signature, more] = token.split('.', 4)
  if (!header || !payload || !signature || more !== undefined) return refuse('not three parts')
  const head = readObject(header)
  if (head === null) return refuse('the header is not one JSON object in canonical base64url')
  // `jwk`, `jku`, `x5c` and the like would let the sender choose the key; `crit`, `b64` and `zip` change what is signed.
  if (!Object.keys(head).every((name) => knownMembers.has(name))) return refuse('a header member that is not known')
  if (head.typ !== ACCESS_TOKEN_TYP) return refuse('not an access token by its typ')
  const alg = algorithms.find((allowed) => allowed === head.alg)
  if (alg === undefined) return refuse('an algorithm that is not allowed')
  const kid = head.kid
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return refuse('no usable kid')
  const body = readObject(payload)
  if (body === null) return refuse('the payload is not one JSON object in canonical base64url')
  const bytes = decodeBase64url(signature)
  if (bytes === null) return refuse('the signature is not canonical base64url')
  return { ok: true, token: { alg, kid, payload: body, signed: token.slice(0, header.length + 1 + payload.length), signature: bytes } }
}

function readObject(part: string): Record<string, unknown> | null {
  const bytes = decodeBase64url(part)
  const reading = bytes === null ? null : readStrictJson(bytes)
  return reading?.ok && isObject(reading.value) ? reading.value : null
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const refuse = (reason: string): TokenParsing => ({ ok: false, reason })
