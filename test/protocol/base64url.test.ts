import { expect, test } from 'vitest'
import { decodeBase64url, encodeBase64url } from '../../src/protocol/base64url.ts'

test('bytes of every length come back as they went', () => {
  for (let length = 0; length < 260; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length))
    expect(decodeBase64url(encodeBase64url(bytes))).toEqual(bytes)
  }
})

test.each([
  [[], ''],
  [[0x66], 'Zg'],
  [[0x66, 0x6f], 'Zm8'],
  [[0x66, 0x6f, 0x6f], 'Zm9v'],
  [[0x66, 0x6f, 0x6f, 0x62], 'Zm9vYg'],
  [[0xfb, 0xff, 0xfe], '-__-'],
  [[0xff, 0xff], '__8'],
])('%j is written %s', (bytes, text) => {
  expect(encodeBase64url(Uint8Array.from(bytes))).toBe(text)
  expect(decodeBase64url(text)).toEqual(Uint8Array.from(bytes))
})

test.each([
  ['padding', 'Zg=='],
  ['padding that completes', 'Zm8='],
  ['the standard alphabet', '+//+'],
  ['white space inside', 'Zm 9v'],
  ['a line break at the end', 'Zm9v\n'],
  ['white space for a whole group', 'Zm9v    '],
  ['white space that completes', 'Zm9 '],
  ['white space before', ' Zm9vZg'],
  ['padding in the middle', 'Zg==Zm9v'],
  ['padding for a whole group', 'Zm9v===='],
  ['an impossible length', 'Zm9vY'],
  ['a lone character', 'Z'],
  ['spare bits after one byte', 'Zh'],
  ['spare bits after two bytes', 'Zm9'],
  ['a character outside ASCII', 'Zm9ü'],
  ['a character whose low byte is in the alphabet', 'Zm9\u0141'],
  ['NUL', 'Zm9\0'],
  ['a bad character in the last short group', 'Zm9v.g'],
  ['a question mark', 'Zm?v'],
])('%s is refused', (_name, text) => {
  expect(decodeBase64url(text)).toBeNull()
})

test('each byte string has exactly one text of its length', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const texts = [...alphabet].flatMap((a) => [...alphabet].map((b) => a + b))
  expect(texts.filter((text) => decodeBase64url(text) !== null)).toHaveLength(256)
})
