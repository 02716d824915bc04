import type { SecretRing } from '../keys/secret-ring.ts'
import { encodeBase64url } from '../protocol/base64url.ts'

/**
 * The name of the object that stands in for an address without an account: as stable as an account, and known only to us, so that tries
 * at unknown addresses are counted like tries at known ones.
 */
export async function decoyOf(ring: SecretRing, email: string): Promise<string> {
  const mac = await crypto.subtle.sign('HMAC', ring.newest.mac, new TextEncoder().encode(`decoy:${email}`))
  return encodeBase64url(new Uint8Array(mac, 0, 16))
}
