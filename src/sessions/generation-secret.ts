import { createHmac } from 'node:crypto'

/**
 * The secret of one generation: HMAC-SHA-256 of its number under the family's random seed, 16 bytes. The newest generation can thus be
 * answered again as the same bytes without being stored. A copy of the database makes no token (the envelope's MAC key is not in it),
 * nor does the MAC key alone (the seed is not in it). Synchronous, so that it runs inside the transaction that compares it.
 */
export function generationSecret(seed: Uint8Array, generation: number): Uint8Array {
  const number = new Uint8Array(4)
  new DataView(number.buffer).setUint32(0, generation)
  return new Uint8Array(createHmac('sha256', seed).update(number).digest().subarray(0, 16))
}
