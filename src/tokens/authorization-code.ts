import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/** Whose code it is, and which. The account's row holds everything else. */
export type AuthorizationCode = { sub: string; id: string }

const FIELD_BYTES = 16 + 16

export async function sealAuthorizationCode(ring: SecretRing, { sub, id }: AuthorizationCode): Promise<string> {
  const value = await sealEnvelope(ring, 'authorization_code', packFields(sub, id))
  if (!value) throw new TypeError('the newest secret is always in the ring')
  return value
}

export async function openAuthorizationCode(ring: SecretRing, value: string): Promise<AuthorizationCode | null> {
  const fields = await openEnvelope(ring, 'authorization_code', FIELD_BYTES, value)
  return fields && { sub: encodeBase64url(fields.subarray(0, 16)), id: encodeBase64url(fields.subarray(16, 32)) }
}
