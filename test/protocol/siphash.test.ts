import { expect, test } from 'vitest'
import { readSipHashKey, sipHash, sipHashText } from '../../src/protocol/siphash.ts'

const hex = (out: Uint32Array): string => [...out].map((word) => word.toString(16).padStart(8, '0')).join('')
const key = readSipHashKey(Uint8Array.from({ length: 16 }, (_, i) => i))

// Bytes 00, 01, 02 .. under the key 00..0f: the reference implementation's table (its output bytes are little-endian), the paper's example
// (15 bytes), and further lengths from an independent implementation.
test.each([
  [0, '726fdb47dd0e0e31'],
  [1, '74f839c593dc67fd'],
  [2, '0d6c8009d9a94f5a'],
  [3, '85676696d7fb7e2d'],
  [7, 'ab0200f58b01d137'],
  [8, '93f5f5799a932462'],
  [9, '9e0082df0ba9e4b0'],
  [15, 'a129ca6149be45e5'],
  [16, '3f2acc7f57c29bdb'],
  [31, '32d892fad841c342'],
  [32, '7127512f72f27cce'],
  [63, '958a324ceb064572'],
  [255, 'a9c169fec74db21a'],
  [256, '999d0526d2a7bfd7'],
  [1000, 'db9b3ed69e31c9a6'],
])('the hash of %i bytes is the published one', (length, hash) => {
  const out = new Uint32Array(2)
  sipHash(
    key,
    Uint8Array.from({ length }, (_, i) => i % 256),
    length,
    out,
  )
  expect(hex(out)).toBe(hash)
})

test('the hash of nothing has the bytes of the reference implementation', () => {
  const out = new Uint32Array(2)
  sipHash(key, new Uint8Array(0), 0, out)
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setUint32(0, out[1] ?? 0, true)
  bytes.setUint32(4, out[0] ?? 0, true)
  expect([...new Uint8Array(bytes.buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('')).toBe('310e0edd47db6f72')
})

// From an independent implementation, over the tag byte and the UTF-8 of the text.
test.each([
  [1, '', 'bc1a1e31b83e0172'],
  [1, 'a', 'ca0e9d8731886fc2'],
  [2, 'a', 'ede148f9208cd839'],
  [3, 'sid-0123456789', 'f64f7c9fd8685422'],
  [5, 'grüße', '2ca7146b56361a6b'],
  [6, '日本語クライアント', '847a3f60f36b7b70'],
  [6, '🦊', '3d855b0387700b2c'],
  [4, 'é', 'd140b2772f1fd08c'],
  [1, 'x'.repeat(2047), '1bfaf3c83aba1a92'],
  [1, 'x'.repeat(2048), 'f4d1d318f8c13609'],
  [1, 'ü'.repeat(1500), '897250f2f9f8765e'],
])('tag %i and text %.12s are hashed as UTF-8', (tag, text, hash) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => 0x11 * (15 - i))
  const out = new Uint32Array(4)
  sipHashText(readSipHashKey(bytes), tag, text, out, 2)
  expect(hex(out.subarray(2))).toBe(hash)
  expect([...out.subarray(0, 2)]).toEqual([0, 0])
})

test('a short text after a long one is not mixed with it', () => {
  const first = new Uint32Array(2)
  const again = new Uint32Array(2)
  sipHashText(key, 1, 'short', first)
  sipHashText(key, 1, 'a much longer text than the one before', new Uint32Array(2))
  sipHashText(key, 1, 'short', again)
  expect(again).toEqual(first)
})

test('a key of another length is refused', () => {
  expect(() => readSipHashKey(new Uint8Array(15))).toThrow(RangeError)
})

test('a key is read from a view into a larger buffer', () => {
  const whole = Uint8Array.from({ length: 20 }, (_, i) => i - 2)
  expect(readSipHashKey(whole.subarray(2, 18))).toEqual(key)
})
