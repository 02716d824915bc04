// base64url without padding (RFC 4648 5), exactly one text for each byte string.
//
// The grammar is checked here: the built-in decoders take padding, white space and unused bits.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

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

/** How a text may end whose length leaves two or three over four: unused bits are zero. */
const lastDigits = ['', '', 'AQgw', 'AEIMQUYcgkosw048']

/**
 * The bytes that the text stands for.
 * @returns null for anything but the one canonical text: another alphabet, padding, white space, an impossible length, or
 * unused last bits that are not zero (they would give one token several spellings).
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  const binary = decodeBase64urlBinary(text)
  return binary === null ? null : bytesOf(binary)
}

/** The same with a character for each byte, its code. */
export function decodeBase64urlBinary(text: string): string | null {
  const over = text.length % 4
  if ((over > 0 && !lastDigits[over]?.includes(text.slice(-1))) || text.includes('+') || text.includes('/')) return null
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
    // White space and padding are passed over by it, and then missing here.
    return binary.length === (text.length * 3) >>> 2 ? binary : null
  } catch {
    return null
  }
}

/** The bytes of a text with a character for each. */
export function bytesOf(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length)
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at)
  return bytes
}

const code = (value: number): number => ALPHABET.charCodeAt(value)
