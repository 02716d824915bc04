import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/**
 * What `__Host-device` holds: a browser that has signed in to this account before. It opens nothing; its tries are counted apart, so
 * that strangers who guess at an address cannot keep its owner out (OWASP, "device cookies").
 */
export type DeviceCookie = { sub: string; device: string }

const FIELD_BYTES = 16 + 16

export async function sealDeviceCookie(ring: SecretRing, { sub, device }: DeviceCookie): Promise<string> {
  const value = await sealEnvelope(ring, 'device_cookie', packFields(sub, device))
  if (!value) throw new TypeError('the newest secret is always in the ring')
  return value
}

export async function openDeviceCookie(ring: SecretRing, value: string): Promise<DeviceCookie | null> {
  const fields = await openEnvelope(ring, 'device_cookie', FIELD_BYTES, value)
  return fields && { sub: encodeBase64url(fields.subarray(0, 16)), device: encodeBase64url(fields.subarray(16)) }
}
