import { expect, test } from 'vitest'
import { parseToken } from '../../src/sdk/parse-token.ts'
import { part } from './issuer.ts'

const header = { alg: 'ES256', kid: 'k1', typ: 'at+jwt' }
const payload = { sub: 'a' }
const signature = 'c2ln'
const parse = (token: string) => parseToken(token, ['ES256', 'EdDSA'])
const withHeader = (value: unknown): string => `${part(value)}.${part(payload)}.${signature}`
const withPayload = (value: unknown): string => `${part(header)}.${part(value)}.${signature}`

test('a token is taken apart', () => {
  const token = withHeader(header)
  expect(parse(token)).toEqual({
    ok: true,
    token: { alg: 'ES256', kid: 'k1', payload, signed: token.slice(0, -5), signature: Uint8Array.of(0x73, 0x69, 0x67) },
  })
})

test.each([
  ['no typ', { alg: 'ES256', kid: 'k1' }],
  ['an ID token', { ...header, typ: 'JWT' }],
  ['a typ in another case', { ...header, typ: 'AT+JWT' }],
  ['a typ with its prefix', { ...header, typ: 'application/at+jwt' }],
  ['a DPoP proof', { ...header, typ: 'dpop+jwt' }],
  ['a logout token', { ...header, typ: 'logout+jwt' }],
  ['alg none', { ...header, alg: 'none' }],
  ['alg None', { ...header, alg: 'None' }],
  ['an empty alg', { ...header, alg: '' }],
  ['no alg', { kid: 'k1', typ: 'at+jwt' }],
  ['alg a number', { ...header, alg: 1 }],
  ['alg a list', { ...header, alg: ['ES256'] }],
  ['HS256', { ...header, alg: 'HS256' }],
  ['an algorithm that is not allowed here', { ...header, alg: 'RS256' }],
  ['alg in another case', { ...header, alg: 'es256' }],
  ['no kid', { alg: 'ES256', typ: 'at+jwt' }],
  ['an empty kid', { ...header, kid: '' }],
  ['kid a number', { ...header, kid: 1 }],
  ['kid an object', { ...header, kid: {} }],
  ['a kid of 129 characters', { ...header, kid: 'k'.repeat(129) }],
  ['jku', { ...header, jku: 'https://evil.example/jwks' }],
  ['jwk', { ...header, jwk: { kty: 'EC' } }],
  ['x5u', { ...header, x5u: 'https://evil.example/' }],
  ['x5c', { ...header, x5c: [] }],
  ['x5t', { ...header, x5t: 'a' }],
  ['crit', { ...header, crit: [] }],
  ['b64', { ...header, b64: false, crit: ['b64'] }],
  ['zip', { ...header, zip: 'DEF' }],
  ['enc', { ...header, enc: 'A256GCM' }],
  ['an unknown member', { ...header, foo: 1 }],
  ['a list', []],
  ['null', null],
  ['a string', '"header"'],
  ['alg twice', '{"alg":"ES256","alg":"ES256","kid":"k1","typ":"at+jwt"}'],
  ['not JSON', '{'],
])('a header with %s is refused', (_name, value) => {
  expect(parse(withHeader(value))).toMatchObject({ ok: false })
})

test.each([
  ['a list', []],
  ['null', null],
  ['a number', '1'],
  ['a string', '"a"'],
  ['a claim twice', '{"sub":"a","sub":"b"}'],
  ['__proto__', '{"__proto__":{"sub":"a"}}'],
  ['not JSON', 'sub=a'],
])('a payload that is %s is refused', (_name, value) => {
  expect(parse(withPayload(value))).toMatchObject({ ok: false })
})

const [head, body] = [part(header), part(payload)]

test.each([
  ['nothing', ''],
  ['one part', head],
  ['two parts', `${head}.${body}`],
  ['four parts', `${head}.${body}.${signature}.${signature}`],
  ['five parts', `${head}.a.a.a.a`],
  ['a dot at the end', `${head}.${body}.${signature}.`],
  ['an empty header', `.${body}.${signature}`],
  ['an empty payload', `${head}..${signature}`],
  ['an empty signature', `${head}.${body}.`],
  ['padding', `${head}.${body}.c2k=`],
  ['spare bits in the signature', `${head}.${body}.c2l`],
  ['white space before', ` ${head}.${body}.${signature}`],
  ['a line break after', `${head}.${body}.${signature}\n`],
  ['white space inside', `${head}.${body.slice(0, 4)} ${body.slice(4)}.${signature}`],
  ['the standard alphabet', `${head}.${body}.++++`],
  ['JSON', JSON.stringify({ payload: body, protected: head, signature })],
  ['more than 8192 characters', `${head}.${part({ a: 'a'.repeat(7000) })}.${signature}`],
  ['a megabyte', 'a'.repeat(1_000_000)],
  ['a million dots', '.'.repeat(8000)],
])('%s is no token', (_name, token) => {
  expect(parse(token)).toMatchObject({ ok: false })
})

test('a header is that of its own token, whatever was read before', () => {
  const other = { ...header, kid: 'k2', alg: 'EdDSA' }
  for (const [read, expected] of [
    [header, { ok: true, token: { kid: 'k1', alg: 'ES256' } }],
    [header, { ok: true, token: { kid: 'k1', alg: 'ES256' } }],
    [
      { ...header, crit: ['exp'] },
      { ok: false, reason: 'header' },
    ],
    [other, { ok: true, token: { kid: 'k2', alg: 'EdDSA' } }],
    [
      { ...header, typ: 'JWT' },
      { ok: false, reason: 'typ' },
    ],
    [
      { ...header, typ: 'JWT' },
      { ok: false, reason: 'typ' },
    ],
    [header, { ok: true, token: { kid: 'k1', alg: 'ES256' } }],
  ] as const) {
    expect(parse(withHeader(read))).toMatchObject(expected)
  }
  expect(parse(`.${part(payload)}.${signature}`)).toMatchObject({ ok: false })
})
