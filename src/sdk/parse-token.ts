// The strict reading of a compact JWS, before any cryptography (RFC 7515 7.1, RFC 8725 3, RFC 9068 2.1). A signature library alone takes
// padding, white space, spare bits, duplicate members and a missing `kid`, and so gives one token many spellings.

import { decodeBase64url, decodeBase64urlBinary } from '../protocol/base64url.ts'
import { MAX_BEARER_LENGTH } from '../protocol/bearer.ts'
import { ACCESS_TOKEN_TYP } from '../protocol/claims.ts'
import { isObject, isText, readStrictJson } from './strict-json.ts'

/** The signature algorithms that a verifier can be told to accept (RFC 7518 3.1, RFC 8037 3.1). */
export type Algorithm = 'ES256' | 'EdDSA' | 'RS256'

/** A compact JWS taken apart; nothing in it is trustworthy yet. `payload` has a character for each byte; `signed` is what the signature must cover. */
export type ParsedJws = {
  header: Header
  payload: string
  signed: string
  signature: Uint8Array<ArrayBuffer>
}

/** The same of an access token. */
export type ParsedToken = Pick<ParsedJws, 'signed' | 'signature'> & { alg: Algorithm; kid: string; payload: Record<string, unknown> }

/** Whether a text may name a key: it has 1 to 128 characters. */
export const isKid = (kid: unknown): kid is string => isText(kid) && kid.length <= 128

export type JwsParsing = { ok: true; jws: ParsedJws } | { ok: false; reason: string }
export type TokenParsing = { ok: true; token: ParsedToken } | { ok: false; reason: string }

const knownMembers = ['alg', 'kid', 'typ']

/** Takes an access token apart; else `reason` names the part that is wrong. Never throws. */
export function parseToken(token: string, algorithms: readonly Algorithm[]): TokenParsing {
  const parsing = parseJws(token)
  if (!parsing.ok) return parsing
  const { header, signed, signature } = parsing.jws
  const { typ, kid } = header
  if (typ !== ACCESS_TOKEN_TYP) return refuse('typ')
  const alg = algorithms.find((allowed) => allowed === header.alg)
  if (alg === undefined) return refuse('alg')
  if (!isKid(kid)) return refuse('kid')
  const payload = readObject(parsing.jws.payload)
  return payload === null ? refuse('payload') : { ok: true, token: { alg, kid, payload, signed, signature } }
}

/** Takes any compact JWS apart whose header has no members but `alg`, `kid` and `typ`. Never throws. */
export function parseJws(token: string): JwsParsing {
  if (token.length > MAX_BEARER_LENGTH) return refuse('length')
  const payloadAt = token.indexOf('.') + 1
  const signatureAt = token.indexOf('.', payloadAt) + 1
  const payload = decodeBase64urlBinary(token.slice(payloadAt, signatureAt - 1))
  const signature = decodeBase64url(token.slice(signatureAt))
  if (signatureAt === 0 || payload === null || !signature?.length) return refuse('not three parts')
  const header = readHeader(token.slice(0, payloadAt - 1))
  return header === null ? refuse('header') : { ok: true, jws: { header, payload, signed: token.slice(0, signatureAt - 1), signature } }
}

type Header = Readonly<Record<string, unknown>>

/** The last good one, and its text. Tokens of one key have the same. */
let lastText = ''
let lastHeader: Header | null = null

function readHeader(text: string): Header | null {
  if (text === lastText) return lastHeader
  const binary = decodeBase64urlBinary(text)
  const header = binary === null ? null : readObject(binary)
  // `jwk`, `jku`, `x5c` and the like would let the sender choose the key; `crit`, `b64` and `zip` change what is signed.
  if (header === null || !Object.keys(header).every((name) => knownMembers.includes(name))) return null
  lastText = text
  lastHeader = header
  return header
}

function readObject(binary: string): Record<string, unknown> | null {
  const reading = readStrictJson(binary)
  return reading.ok && isObject(reading.value) ? reading.value : null
}

const refuse = (reason: string): { ok: false; reason: string } => ({ ok: false, reason })
