/**
 * The one envelope of every opaque token: base64url of
 *
 *     version (1) | purpose (1) | secret id (4) | fields | MAC (16)
 *
 * The MAC is HMAC-SHA-256 over everything before it, cut to 128 bits (RFC 2104, 5), under a key of the named secret. The purpose
 * is inside the MAC, so a token of one kind is never accepted as another, and a made-up token is refused before any object wakes.
 */
import type { SecretRing } from '../keys/secret-ring.ts'
import { decodeBase64url, encodeBase64url } from '../protocol/base64url.ts'

const VERSION = 1
const HEADER_BYTES = 6
const MAC_BYTES = 16

/** One byte each; never reused for another kind. */
export const PURPOSE = {
  session_cookie: 1,
  refresh_token: 2,
  device_cookie: 3,
  authorization_code: 4,
  interaction: 5,
  request_uri: 6,
  device_code: 7,
  registration_token: 8,
  dpop_nonce: 9,
} as const
export type Purpose = keyof typeof PURPOSE

function header(purpose: Purpose, secretId: string): Uint8Array {
  const id = Number.parseInt(secretId, 16)
  return new Uint8Array([VERSION, PURPOSE[purpose], id >>> 24, (id >>> 16) & 255, (id >>> 8) & 255, id & 255])
}

async function mac(key: CryptoKey, message: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, message)).subarray(0, MAC_BYTES)
}

/**
 * Seals fields with the newest secret of the ring, or with the one named by `secretId` (a refresh token that must come out as the same
 * bytes again). Answers undefined when that secret has left the ring.
 */
export async function sealEnvelope(
  ring: SecretRing,
  purpose: Purpose,
  fields: Uint8Array,
  secretId: string = ring.newest.id,
): Promise<string | undefined> {
  const secret = ring.find(secretId)
  if (!secret) return undefined
  const bytes = new Uint8Array(HEADER_BYTES + fields.length + MAC_BYTES)
  bytes.set(header(purpose, secret.id))
  bytes.set(fields, HEADER_BYTES)
  const end = bytes.length - MAC_BYTES
  bytes.set(await mac(secret.mac, bytes.subarray(0, end)), end)
  return encodeBase64url(bytes)
}

/** The longest envelope that is looked at, in characters. */
const MAX_LENGTH = 24_576

/**
 * The fields of a token of exactly this purpose and length (null: of any), or null: for whatever reason, it was not made by us for this.
 */
export async function openEnvelope(
  ring: SecretRing,
  purpose: Purpose,
  fieldBytes: number | null,
  token: string,
): Promise<Uint8Array | null> {
  if (token.length > MAX_LENGTH || (fieldBytes !== null && token.length !== Math.ceil(((HEADER_BYTES + fieldBytes + MAC_BYTES) * 4) / 3))) {
    return null
  }
  const bytes = decodeBase64url(token)
  const length = bytes?.length ?? 0
  if (!bytes || length < HEADER_BYTES + MAC_BYTES || bytes[0] !== VERSION || bytes[1] !== PURPOSE[purpose]) return null
  const secret = ring.find(Array.from(bytes.subarray(2, HEADER_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join(''))
  if (!secret) return null
  const end = length - MAC_BYTES
  const expected = await mac(secret.mac, bytes.subarray(0, end))
  return crypto.subtle.timingSafeEqual(expected, bytes.subarray(end)) ? bytes.subarray(HEADER_BYTES, end) : null
}

/** Joins fixed-width fields; ids are the base64url text of their bytes. */
export function packFields(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const chunks = parts.map((part) => {
    const bytes = typeof part === 'string' ? decodeBase64url(part) : part
    if (!bytes) throw new TypeError('an id is not base64url')
    return bytes
  })
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}
