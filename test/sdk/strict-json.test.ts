import { expect, test } from 'vitest'
import { readStrictJson } from '../../src/sdk/strict-json.ts'

const read = (text: string) => readStrictJson(new TextEncoder().encode(text))

test.each([
  '{}',
  '{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}',
  ' { "a" : [ 1 , -2.5e3 , true , false , null , "x" ] , "b" : {} } ',
  '{"a":"\\"}],{[\\\\","b":1}',
  '{"a":["b","b"],"b":"a"}',
  '{"":0,"A":1,"a":2}',
  '{"b":"\\u0061","a":"\\\\"}',
  '{"a":9007199254740991}',
  '"\\ud83e\\udd8a"',
  '[[[[[[[[]]]]]]]]',
])('%s is read as JSON.parse reads it', (text) => {
  expect(read(text)).toEqual({ ok: true, value: JSON.parse(text) })
})

test.each([
  ['a member twice', '{"a":1,"a":1}'],
  ['a member twice, once escaped', '{"a":1,"\\u0061":2}'],
  ['an escaped name', '{"\\u0061b":1,"a":2}'],
  ['an escaped name, deep', '{"a":[{"b":"c","x\\/y" : 0}]}'],
  ['a member twice with white space', '{"a" : 1 , "a" : 2}'],
  ['a member twice, deep', '{"x":[{"y":{"b":1,"b":2}}]}'],
  ['a member twice around an object', '{"a":{"z":1},"a":2}'],
  ['a member twice around a list', '{"a":["q",{"r":1}],"b":0,"a":2}'],
  ['the member __proto__', '{"__proto__":{"x":1}}'],
  ['the member __proto__, escaped and deep', '[{"\\u005f_proto__":1}]'],
  ['a number past every double', '{"a":1e999}'],
  ['a number past 2^53', '{"a":9007199254740993}'],
  ['a large number in a list', '[1,-1e300]'],
  ['half a surrogate pair', '{"a":"\\ud800"}'],
  ['half a surrogate pair in a name', '{"\\udc00":1}'],
  ['nine levels', '[[[[[[[[[]]]]]]]]]'],
  ['many levels', `${'['.repeat(5000)}${']'.repeat(5000)}`],
  ['a byte order mark', '\ufeff{}'],
  ['something after it', '{} {}'],
  ['a comment', '{/**/}'],
  ['a comma too many', '{"a":1,}'],
  ['NaN', 'NaN'],
  ['nothing', ''],
])('%s: refused', (_name, text) => {
  expect(read(text)).toMatchObject({ ok: false })
})

test.each([
  ['a bad byte', [0x22, 0xff, 0x22]],
  ['an overlong form', [0x22, 0xc0, 0xaf, 0x22]],
  ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
  ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
])('%s: refused', (_name, bytes) => {
  expect(readStrictJson(Uint8Array.from(bytes))).toMatchObject({ ok: false })
})

// V8 may read an escaped name as `\\`, once somebody's JSON has had a member of that name (https://github.com/nodejs/node/issues/63785).
test('what was read before does not change how a name is read', () => {
  const twice = '{"h":"a","\\u0068":"b"}'
  JSON.parse('{"h":"a","\\\\":0}')
  expect(read(twice)).toEqual({ ok: false })
})
