import type { SecretRing } from '../keys/secret-ring.ts'
import { openEnvelope, sealEnvelope } from '../tokens/envelope.ts'

/**
 * Nonces for DPoP proofs (RFC 9449, 8), which nobody stores: each is the number of a window of time, sealed. Whoever sends one has spoken to
 * us in this window or the one before, so proofs cannot be made in stock.
 */
export const NONCE_WINDOW = 60

const windowOf = (now: number): number => Math.floor(now / NONCE_WINDOW)

/** The nonce of this moment (`now` in seconds), the same for everybody. */
export async function makeDpopNonce(ring: SecretRing, now: number): Promise<string> {
  const fields = new Uint8Array(4)
  new DataView(fields.buffer).setUint32(0, windowOf(now))
  const nonce = await sealEnvelope(ring, 'dpop_nonce', fields)
  if (nonce === undefined) throw new TypeError('the newest secret of a ring is always in it')
  return nonce
}

/** Whether a nonce is ours, of this window or the one before. The next one counts too: clocks of isolates differ by a moment. */
export async function isDpopNonce(ring: SecretRing, nonce: string | null, now: number): Promise<boolean> {
  const fields = nonce === null ? null : await openEnvelope(ring, 'dpop_nonce', 4, nonce)
  if (fields === null) return false
  const age = windowOf(now) - new DataView(fields.buffer, fields.byteOffset).getUint32(0)
  return age >= -1 && age <= 1
}
