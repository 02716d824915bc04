import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/**
 * What `__Host-device` holds: a browser that has signed in to this account before, and when. It opens nothing; its tries are counted apart,
 * so that strangers who guess at an address cannot keep its owner out (OWASP, "device cookies"). One that was given for an earlier password
 * is a stranger: whoever knew that one could have collected many. `issued_at` in integer seconds.
 */
export type DeviceCookie = { sub: string; device: string; issued_at: number }

const FIELD_BYTES = 16 + 16 + 4

export async function sealDeviceCookie(ring: SecretRing, { sub, device, issued_at }: DeviceCookie): Promise<string> {
  const issued = new Uint8Array(4)
  new DataView(issued.buffer).setUint32(0, issued_at)
  const value = await sealEnvelope(ring, 'device_cookie', packFields(sub, device, issued))
  if (!value) throw new TypeError('the newest secret is always in the ring')
  return value
}

export async function openDeviceCookie(ring: SecretRing, value: string): Promise<DeviceCookie | null> {
  const fields = await openEnvelope(ring, 'device_cookie', FIELD_BYTES, value)
  if (!fields) return null
  const issued_at = new DataView(fields.buffer, fields.byteOffset + 32, 4).getUint32(0)
  return { sub: encodeBase64url(fields.subarray(0, 16)), device: encodeBase64url(fields.subarray(16, 32)), issued_at }
}
