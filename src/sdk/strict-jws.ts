// The strict reading of a compact JWS that a stranger made for us (RFC 7515 7.1, RFC 8725 3): one spelling, one reading, nothing thrown.

import { decodeBase64url } from '../protocol/base64url.ts'
import { readStrictJson } from './strict-json.ts'

/** A JWS taken apart; nothing in it is trustworthy yet. `signed` is what the signature must cover. */
export type StrictJws = {
  header: Readonly<Record<string, unknown>>
  payload: Readonly<Record<string, unknown>>
  signed: string
  signature: Uint8Array<ArrayBuffer>
}

export type StrictJwsReading = { ok: true; jws: StrictJws } | { ok: false; reason: string }

/** The longest that is looked at, in characters. */
export const MAX_JWS_LENGTH = 8192

/** Those up to `x5t#S256` would let the sender choose where the key comes from; the rest change what is signed, or how it is read. */
const meddling = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'cty', 'enc']

/**
 * Takes a compact JWS apart whose payload is a JSON object and whose header does not meddle, but for what `members` allows. A member that
 * nobody has heard of is ignored (RFC 7515 4). Never throws.
 */
export function readStrictJws(text: string, members: readonly string[] = []): StrictJwsReading {
  if (text.length > MAX_JWS_LENGTH) return refuse('length')
  const parts = text.split('.', 4)
  const [head, body, signature] = parts.map(decodeBase64url)
  if (parts.length !== 3 || !head || !body || !signature?.length) return refuse('not three parts of base64url')
  const header = readObject(head)
  if (header === null || meddling.some((name) => Object.hasOwn(header, name) && !members.includes(name))) return refuse('header')
  const payload = readObject(body)
  if (payload === null) return refuse('payload')
  return { ok: true, jws: { header, payload, signed: text.slice(0, text.lastIndexOf('.')), signature } }
}

/** A number of seconds since 1970 (RFC 7519 2, NumericDate: fractions are allowed). */
export const isNumericDate = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** A text that is there and not endless. */
export const isText = (value: unknown, max: number): value is string => typeof value === 'string' && value !== '' && value.length <= max

function readObject(bytes: Uint8Array): Record<string, unknown> | null {
  const reading = readStrictJson(bytes)
  return reading.ok && isObject(reading.value) ? reading.value : null
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)

const refuse = (reason: string): { ok: false; reason: string } => ({ ok: false, reason })
