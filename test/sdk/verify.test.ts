import { describe, expect, test } from 'vitest'
import { createVerifier, TokenError, type TokenErrorCode, type VerifierOptions } from '../../src/sdk/index.ts'
import { claimsAt, codeOf, end, ISSUER, Issuer, makeKey, part, START, sign, signToken } from './issuer.ts'

const signingKey = await makeKey('k1')
const stranger = await makeKey('k1')
const header = { alg: 'ES256', kid: 'k1', typ: 'at+jwt' }

describe('a verifier', () => {
  test('answers the claims, and how current they are', async () => {
    const issuer = new Issuer(signingKey)
    issuer.deny({ kind: 'jti', id: 'another', end: end(issuer) })
    const token = await issuer.token({ jti: 'j1' })
    const request = new Request('https://api.example/notes', { headers: { authorization: `Bearer ${token}` } })
    expect(await issuer.verifier().verify(request)).toEqual({
      claims: claimsAt(START, { jti: 'j1' }),
      freshness: 'fresh',
      viewAgeMs: 0,
      cursor: '00000000000000e1.1',
    })
  })

  test('asks nothing but the keys for offline routes', async () => {
    const issuer = new Issuer(signingKey)
    const token = await issuer.token()
    expect(await issuer.verifier({ freshness: 'offline' }).verifyToken(token)).toMatchObject({
      freshness: 'offline',
      viewAgeMs: null,
      cursor: null,
    })
    expect(issuer.calls).toEqual({ jwks: 1, feed: 0, check: 0 })
  })

  test('takes the freshness of one call before its own', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'offline' })
    const token = await issuer.token()
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'offline' })
    expect(await verifier.verifyToken(token, { freshness: 'live' })).toMatchObject({ freshness: 'live' })
    expect(issuer.calls).toMatchObject({ jwks: 1, check: 1 })
  })

  test('refuses a request without a token, and one with something else', async () => {
    const verifier = new Issuer(signingKey).verifier()
    const ask = (url: string, authorization?: string) =>
      codeOf(verifier.verify(new Request(url, authorization === undefined ? {} : { headers: { authorization } })))
    expect(await ask('https://api.example/')).toBe('token_missing')
    expect(await ask('https://api.example/', 'Basic abc')).toBe('token_malformed')
    expect(await ask('https://api.example/?access_token=abc')).toBe('token_malformed')
    expect(await ask('https://api.example/', 'Bearer abc')).toBe('token_invalid')
  })

  test.each<[string, () => Promise<string>, TokenErrorCode]>([
    ['a signature by another key of that kid', () => signToken(stranger, header, claimsAt(START)), 'token_invalid'],
    ['no signature', async () => `${part(header)}.${part(claimsAt(START))}.AA`, 'token_invalid'],
    ['an unknown kid', () => signToken(signingKey, { ...header, kid: 'k9' }, claimsAt(START)), 'token_invalid'],
    ['the typ of an ID token', () => signToken(signingKey, { ...header, typ: 'JWT' }, claimsAt(START)), 'token_invalid'],
    ['another issuer', () => signToken(signingKey, header, claimsAt(START, { iss: 'https://evil.example' })), 'token_invalid'],
    ['another audience', () => signToken(signingKey, header, claimsAt(START, { aud: 'https://other.example' })), 'token_invalid'],
    ['a life of a year', () => signToken(signingKey, header, claimsAt(START, { exp: START + 31_536_000 })), 'token_invalid'],
    ['an issue in the future', () => signToken(signingKey, header, claimsAt(START + 5)), 'token_invalid'],
    ['a bound key', () => signToken(signingKey, header, claimsAt(START, { cnf: { jkt: 'x' } })), 'token_invalid'],
    ['an end in the past', () => signToken(signingKey, header, claimsAt(START - 300)), 'token_expired'],
    [
      'a claim twice',
      () => sign(signingKey, `${part(header)}.${part(JSON.stringify(claimsAt(START)).replace('{', '{"sub":"admin",'))}`),
      'token_invalid',
    ],
  ])('refuses %s', async (_name, make, code) => {
    expect(await codeOf(new Issuer(signingKey).verifier().verifyToken(await make()))).toBe(code)
  })

  test('refuses what it can without asking for keys', async () => {
    const issuer = new Issuer(signingKey)
    await codeOf(issuer.verifier().verifyToken(await issuer.token({ aud: 'https://other.example' })))
    await codeOf(issuer.verifier().verifyToken('a.b.c'))
    expect(issuer.calls.jwks).toBe(0)
  })

  test('accepts only the algorithms it was told', async () => {
    const rsa = await makeKey('r1', 'RS256')
    const issuer = new Issuer(signingKey)
    issuer.keys.push(rsa.jwk)
    const token = await signToken(rsa, { ...header, alg: 'RS256', kid: 'r1' }, claimsAt(START), 'RS256')
    expect(await codeOf(issuer.verifier().verifyToken(token))).toBe('accepted')
    expect(await codeOf(issuer.verifier({ algorithms: ['ES256'] }).verifyToken(token))).toBe('token_invalid')
  })

  test('accepts each of several audiences', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ audience: ['https://a.example', 'https://b.example'] })
    expect(await codeOf(verifier.verifyToken(await issuer.token({ aud: 'https://b.example' })))).toBe('accepted')
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('token_invalid')
  })

  test('never names the token in an error', async () => {
    const issuer = new Issuer(signingKey)
    issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
    const token = await issuer.token()
    for (const bad of [token, `${token}x`, `x${token}`]) {
      const error = await issuer
        .verifier()
        .verifyToken(bad)
        .catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(TokenError)
      if (error instanceof TokenError)
        expect(JSON.stringify([error.message, error.reason, error.challenge, error])).not.toContain(token.slice(0, 40))
    }
  })

  test('gives frozen claims, because many requests share them', async () => {
    const issuer = new Issuer(signingKey)
    const { claims } = await issuer.verifier().verifyToken(await issuer.token())
    expect(() => Object.assign(claims, { sub: 'admin' })).toThrow(TypeError)
    expect(() => claims.roles?.push('admin')).toThrow(TypeError)
  })
})

describe('options', () => {
  const issuer = new Issuer(signingKey)
  const good: VerifierOptions = { issuer: ISSUER, audience: ISSUER, binding: issuer }

  test.each(['https://auth.example', 'https://auth.example:8443', 'http://localhost:8787', 'http://127.0.0.1:1', 'http://[::1]:8787'])(
    'the issuer %s is taken',
    (value) => {
      expect(() => createVerifier({ ...good, issuer: value })).not.toThrow()
    },
  )

  test.each([
    'https://auth.example/',
    'https://auth.example/path',
    'https://auth.example?x',
    'https://user@auth.example',
    'https://AUTH.example',
    'https://auth.example:443',
    'http://auth.example',
    'http://localhost.evil.example',
    'ftp://auth.example',
    'auth.example',
    '',
  ])('the issuer %j stops the start', (value) => {
    expect(() => createVerifier({ ...good, issuer: value })).toThrow(/^issuer:/)
  })

  test.each<[string, object]>([
    ['audience', { audience: [] }],
    ['audience', { audience: '' }],
    ['audience', { audience: undefined }],
    ['binding', { binding: {} }],
    ['freshness', { freshness: 'fast' }],
    ['algorithms', { algorithms: [] }],
    ['algorithms', { algorithms: ['HS256'] }],
    ['algorithms', { algorithms: ['none', 'ES256'] }],
    ['clockTolerance', { clockTolerance: 11 }],
    ['clockTolerance', { clockTolerance: -1 }],
    ['maxLifetime', { maxLifetime: 301 }],
    ['maxLifetime', { maxLifetime: 0 }],
    ['freshFor', { freshFor: 6000 }],
    ['staleAfter', { staleAfter: 60_001 }],
    ['staleAfter', { staleAfter: Number.NaN }],
    ['memory', { memory: -1 }],
    ['keyCooldown', { keyCooldown: 0.5 }],
    ['onUnavailable', { onUnavailable: 'accept' }],
  ])('a wrong %s stops the start: %j', (name, wrong) => {
    const options = { ...good, ...wrong }
    expect(() => createVerifier(options)).toThrow(TypeError)
    expect(() => createVerifier(options)).toThrow(new RegExp(`^${name}:`))
  })
})
