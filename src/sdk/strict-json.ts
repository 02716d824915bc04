// JSON with one reading only (RFC 8259; RFC 7515 10.12): two parsers must never see two different tokens.

import { bytesOf } from '../protocol/base64url.ts'

export type JsonReading = { ok: true; value: unknown } | { ok: false }

const MAX_DEPTH = 8
/** Unlike every number, itself included. */
const REFUSED = Number.NaN
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

/**
 * Reads UTF-8 JSON, given as bytes or as a text with a character for each. Refuses what parsers read differently: bad UTF-8, a byte order
 * mark, a member that occurs twice in one object, a name with an escape in it, the member `__proto__`, numbers that are no doubles or
 * integers past 2^53, strings with half a surrogate pair, and nesting past 8 levels.
 */
export function readStrictJson(source: Uint8Array | string): JsonReading {
  try {
    const { names, isAscii } = scan(source)
    // ASCII is the same text in UTF-8, and nearly all there is.
    const text = typeof source !== 'string' ? decoder.decode(source) : isAscii ? source : decoder.decode(bytesOf(source))
    const value: unknown = JSON.parse(text)
    // Of a member that occurs twice the parser keeps one.
    return countMembers(value, 0) === names ? { ok: true, value } : { ok: false }
  } catch {
    return { ok: false }
  }
}

/** Whether a JSON value is an object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a value is a text that is there and not endless. Ids may be addresses: a client may be named by its metadata document. */
export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && value.length <= 2048

/** The members of all objects in a value; `REFUSED` when something in it is refused. */
function countMembers(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.isWellFormed() ? 0 : REFUSED
  if (typeof value === 'number') return Math.abs(value) > Number.MAX_SAFE_INTEGER ? REFUSED : 0
  if (typeof value !== 'object' || value === null) return 0
  if (depth === MAX_DEPTH) return REFUSED
  let count = 0
  if (Array.isArray(value)) for (const item of value) count += countMembers(item, depth + 1)
  else {
    for (const [name, member] of Object.entries(value)) {
      count += name === '__proto__' ? REFUSED : 1 + countMembers(member, depth + 1)
    }
  }
  return count
}

/**
 * The names in a text that is JSON, as many as there are colons outside its strings. In UTF-8 no other character has a byte of these.
 * `REFUSED` when one is escaped: V8 misreads such a name after others have sent one that is a backslash (nodejs/node#63785).
 */
function scan(source: string | Uint8Array): { names: number; isAscii: boolean } {
  let names = 0
  let bits = 0
  let isInString = false
  let name = 1
  for (let at = 0; at < source.length; at++) {
    const code = typeof source === 'string' ? source.charCodeAt(at) : Number(source[at])
    bits |= code
    if (code === QUOTE) {
      isInString = !isInString
      if (isInString) name = 1
    } else if (code === BACKSLASH) {
      at++
      name = REFUSED
    } else if (code === COLON && !isInString) names += name
  }
  return { names, isAscii: bits < 0x80 }
}
