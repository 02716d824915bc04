import { expect, test } from 'vitest'
import { openSecretRing } from '../../src/keys/secret-ring.ts'
import { isDpopNonce, makeDpopNonce, NONCE_WINDOW } from '../../src/oauth/dpop-nonce.ts'
import { sealEnvelope } from '../../src/tokens/envelope.ts'
import { mutated } from '../proof/mutation.ts'
import { createRandom } from '../proof/random.ts'

const NOW = 30_000_000 * NONCE_WINDOW
const OLD = 'test-only-secret-that-is-long-enough-000001'
const NEW = 'test-only-secret-that-is-long-enough-000002'
const ring = await openSecretRing([OLD])

test.each([
  [0, true],
  [59, true],
  [60, true],
  [119, true],
  [120, false],
  [86_400, false],
  [-1, true],
  [-61, false],
])('a nonce of the first second of a window, %i s later: %s', async (after, answer) => {
  expect(await isDpopNonce(ring, await makeDpopNonce(ring, NOW), NOW + after)).toBe(answer)
})

test('all requests of a window get the same nonce, those of the next another', async () => {
  expect(await makeDpopNonce(ring, NOW + 59)).toBe(await makeDpopNonce(ring, NOW))
  expect(await makeDpopNonce(ring, NOW + 60)).not.toBe(await makeDpopNonce(ring, NOW))
})

test('a nonce of the characters that the header may hold', async () => {
  expect(await makeDpopNonce(ring, NOW)).toMatch(/^[\w-]{1,64}$/)
})

test('a rotated secret still opens its nonces; a removed or strange one does not', async () => {
  const nonce = await makeDpopNonce(ring, NOW)
  expect(await isDpopNonce(await openSecretRing([NEW, OLD]), nonce, NOW)).toBe(true)
  expect(await isDpopNonce(await openSecretRing([NEW]), nonce, NOW)).toBe(false)
})

test('what was not made as a nonce is none', async () => {
  const fields = new Uint8Array(4)
  new DataView(fields.buffer).setUint32(0, NOW / NONCE_WINDOW)
  const interaction = await sealEnvelope(ring, 'interaction', fields)
  for (const text of [null, '', 'x', 'eyJ7S_zG.eyJH0-Z.HX4w-7v', interaction ?? null, String(NOW)]) {
    expect(await isDpopNonce(ring, text, NOW)).toBe(false)
  }
})

test('500 seeded changes of a nonce: none is taken', async () => {
  const random = createRandom(8)
  const nonce = await makeDpopNonce(ring, NOW)
  for (let count = 0; count < 500; count++) expect(await isDpopNonce(ring, mutated(random, nonce).text, NOW)).toBe(false)
})
