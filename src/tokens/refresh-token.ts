import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

/** One generation of a family. `secret` is derived from the family's seed (sessions/generation-secret.ts), never stored. */
export type RefreshToken = { sub: string; grant_id: string; generation: number; secret: Uint8Array }

const FIELD_BYTES = 16 + 16 + 4 + 16

/** Seals with the secret that the family row names, so that one generation has one spelling. Undefined: that secret has left the ring. */
export function sealRefreshToken(ring: SecretRing, token: RefreshToken, secretId: string): Promise<string | undefined> {
  const generation = new Uint8Array(4)
  new DataView(generation.buffer).setUint32(0, token.generation)
  return sealEnvelope(ring, 'refresh_token', packFields(token.sub, token.grant_id, generation, token.secret), secretId)
}

export async function openRefreshToken(ring: SecretRing, value: string): Promise<RefreshToken | null> {
  const fields = await openEnvelope(ring, 'refresh_token', FIELD_BYTES, value)
  if (!fields) return null
  return {
    sub: encodeBase64url(fields.subarray(0, 16)),
    grant_id: encodeBase64url(fields.subarray(16, 32)),
    generation: new DataView(fields.buffer, fields.byteOffset + 32, 4).getUint32(0),
    secret: fields.slice(36),
  }
}
