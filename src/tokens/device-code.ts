import type { SecretRing } from '../keys/secret-ring.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/** What a device polls with: its user code, by which its request is found, and a secret that no person ever sees. */
export type DeviceCode = { user_code: string; secret: Uint8Array }

const CODE_BYTES = 8
const FIELD_BYTES = CODE_BYTES + 16

export async function sealDeviceCode(ring: SecretRing, { user_code, secret }: DeviceCode): Promise<string> {
  const value = await sealEnvelope(ring, 'device_code', packFields(new TextEncoder().encode(user_code), secret))
  if (!value) throw new TypeError('the newest secret is always in the ring')
  return value
}

export async function openDeviceCode(ring: SecretRing, value: string): Promise<DeviceCode | null> {
  const fields = await openEnvelope(ring, 'device_code', FIELD_BYTES, value)
  return fields && { user_code: new TextDecoder().decode(fields.subarray(0, CODE_BYTES)), secret: fields.slice(CODE_BYTES) }
}
