import { expect, test } from 'vitest'
import { bearerChallenge, readBearer } from '../../src/protocol/bearer.ts'

const URL_OF_API = 'https://api.example/notes'
const read = (authorization: string | null, url: string = URL_OF_API) =>
  readBearer(new Headers(authorization === null ? {} : { authorization }), url)

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER abc', 'abc'],
  ['Bearer   abc', 'abc'],
  ['Bearer a-._~+/9==', 'a-._~+/9=='],
  ['Bearer aaa.bbb.ccc', 'aaa.bbb.ccc'],
])('%j carries the token %j', (header, token) => {
  expect(read(header)).toEqual({ ok: true, token })
})

test('no header is a missing token', () => {
  expect(read(null)).toMatchObject({ ok: false, error: 'missing' })
})

test.each([
  'Basic dXNlcjpwYXNz',
  'DPoP abc',
  'Bearerabc',
  'Bearer',
  'Bearer =',
  'Bearer a=b',
  'Bearer a b',
  'Bearer a,b',
  'Bearer "abc"',
  'Bearer abc, Bearer def',
  'Bearer a?b',
  'Bearer\tabc',
  'abc',
])('%j is an invalid request', (header) => {
  expect(read(header)).toMatchObject({ ok: false, error: 'invalid_request' })
})

test('two headers are an invalid request', () => {
  const headers = new Headers()
  headers.append('authorization', 'Bearer abc')
  headers.append('authorization', 'Bearer def')
  expect(readBearer(headers, URL_OF_API)).toMatchObject({ ok: false, error: 'invalid_request' })
})

test('an empty header is an invalid request, not a missing token', () => {
  expect(readBearer({ get: () => '' }, URL_OF_API)).toMatchObject({ ok: false, error: 'invalid_request' })
})

test('a token of 8192 characters is read, a longer one is not', () => {
  expect(read(`Bearer ${'a'.repeat(8192)}`)).toMatchObject({ ok: true })
  expect(read(`Bearer ${'a'.repeat(8193)}`)).toMatchObject({ ok: false, error: 'invalid_request' })
})

test.each(['?access_token=abc', '?a=b&access_token=abc', '?access_token', '?access%5Ftoken=abc', '?%61ccess_token=abc#x'])(
  'a token in the query (%s) is refused, with a header or without',
  (query) => {
    const refusal = { ok: false, error: 'invalid_request' }
    expect(read(null, URL_OF_API + query)).toMatchObject(refusal)
    expect(read('Bearer abc', URL_OF_API + query)).toMatchObject(refusal)
    expect(JSON.stringify(read(null, `${URL_OF_API}?access_token=secret`))).not.toContain('secret')
  },
)

test.each(['?q=access_token', '?my_access_token=1', '?access_token2=1', '?q=%20', '#access_token=abc', '#?access_token=abc'])(
  'an address that only looks like it (%s) is not refused',
  (rest) => {
    expect(read('Bearer abc', URL_OF_API + rest)).toEqual({ ok: true, token: 'abc' })
  },
)

test('a challenge without parameters is the scheme alone', () => {
  expect(bearerChallenge()).toBe('Bearer')
})

test('a challenge names its parameters as quoted strings', () => {
  expect(bearerChallenge({ error: 'invalid_token', error_description: 'revoked' })).toBe(
    'Bearer error="invalid_token", error_description="revoked"',
  )
  expect(bearerChallenge({ max_age: 300, acr_values: 'a b', scope: 'x y', resource_metadata: 'https://api.example/.well-known/x' })).toBe(
    'Bearer max_age="300", acr_values="a b", scope="x y", resource_metadata="https://api.example/.well-known/x"',
  )
})

test('nothing in a value can end the quoted string or the header', () => {
  const challenge = bearerChallenge({ scope: 'a", error="x\\', error_description: 'é\r\nSet-Cookie: a=b' })
  expect(challenge).toBe('Bearer scope="a\\", error=\\"x\\\\", error_description="???Set-Cookie: a=b"')
  expect(() => new Headers({ 'www-authenticate': challenge })).not.toThrow()
})
