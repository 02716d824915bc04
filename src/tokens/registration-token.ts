import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from './envelope.ts'

const ID_BYTES = 16
const RANDOM_BYTES = 32

/** A new registration access token (RFC 7592): whose it is, and 256 random bits of which the client's object keeps a hash. */
export async function sealRegistrationToken(ring: SecretRing, client_id: string): Promise<string> {
  const fields = packFields(client_id, crypto.getRandomValues(new Uint8Array(RANDOM_BYTES)))
  const token = await sealEnvelope(ring, 'registration_token', fields)
  if (!token) throw new TypeError('the newest secret is always in the ring')
  return token
}

/** The client_id that a token was made for, or null: not ours. */
export async function openRegistrationToken(ring: SecretRing, token: string): Promise<string | null> {
  const fields = await openEnvelope(ring, 'registration_token', ID_BYTES + RANDOM_BYTES, token)
  return fields && encodeBase64url(fields.subarray(0, ID_BYTES))
}
