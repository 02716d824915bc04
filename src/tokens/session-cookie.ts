import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/** What `__Host-session` holds. `secret` is 16 random bytes; the account keeps only its hash. */
export type SessionCookie = { sub: string; sid: string; secret: Uint8Array }

const FIELD_BYTES = 16 + 16 + 16

export async function sealSessionCookie(ring: SecretRing, { sub, sid, secret }: SessionCookie): Promise<string> {
  const value = await sealEnvelope(ring, 'session_cookie', packFields(sub, sid, secret))
  if (!value) throw new TypeError('the newest secret is always in the ring')
  return value
}

export async function openSessionCookie(ring: SecretRing, value: string): Promise<SessionCookie | null> {
  const fields = await openEnvelope(ring, 'session_cookie', FIELD_BYTES, value)
  return fields && { sub: encodeBase64url(fields.subarray(0, 16)), sid: encodeBase64url(fields.subarray(16, 32)), secret: fields.slice(32) }
}
