// base64url without padding (RFC 4648 5), exactly one text for each byte string.
//
// One table for every runtime: the built-in decoders take white space, and tie the strict check of the last bits to padding.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const INVALID = 0xff
const valueOfCode = new Uint8Array(128).fill(INVALID)
for (let value = 0; value < 64; value++) {
  valueOfCode[ALPHABET.charCodeAt(value)] = value
}

/** The bytes as unpadded base64url. */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = ''
  let at = 0
  for (; at + 2 < bytes.length; at += 3) {
    const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    text += String.fromCharCode(code(three >> 18), code((three >> 12) & 63), code((three >> 6) & 63), code(three & 63))
  }
  const left = bytes.length - at
  if (left === 0) return text
  const rest = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8)
  text += String.fromCharCode(code(rest >> 18), code((rest >> 12) & 63))
  return left === 1 ? text : text + String.fromCharCode(code((rest >> 6) & 63))
}

/**
 * The bytes that the text stands for.
 * @returns null for anything but the one canonical text: another alphabet, padding, white space, an impossible length, or
 * unused last bits that are not zero (they would give one token several spellings).
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  const left = text.length & 3
  if (left === 1) return null
  const whole = text.length - left
  const bytes = new Uint8Array((whole >> 2) * 3 + (left === 0 ? 0 : left - 1))
  let to = 0
  let seen = 0
  for (let at = 0; at < whole; at += 4) {
    const a = value(text, at)
    const b = value(text, at + 1)
    const c = value(text, at + 2)
    const d = value(text, at + 3)
    seen |= a | b | c | d
    bytes[to++] = (a << 2) | (b >> 4)
    bytes[to++] = (b << 4) | (c >> 2)
    bytes[to++] = (c << 6) | d
  }
  if (left > 0) {
    const a = value(text, whole)
    const b = value(text, whole + 1)
    const c = left === 3 ? value(text, whole + 2) : 0
    seen |= a | b | c
    if ((left === 2 ? b & 15 : c & 3) !== 0) return null
    bytes[to++] = (a << 2) | (b >> 4)
    if (left === 3) bytes[to] = (b << 4) | (c >> 2)
  }
  return seen > 63 ? null : bytes
}

const code = (value: number): number => ALPHABET.charCodeAt(value)

function value(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit < 128 ? (valueOfCode[unit] ?? INVALID) : INVALID
}
