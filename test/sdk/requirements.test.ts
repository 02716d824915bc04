import { describe, expect, test } from 'vitest'
import { checkClaims } from '../../src/sdk/check-claims.ts'
import { findLack, type Requirements } from '../../src/sdk/requirements.ts'
import { claimsAt, codeOf, end, ISSUER, Issuer, makeKey, START } from './issuer.ts'

const signingKey = await makeKey('k1')

const lackOf = (requires: Requirements, more: Record<string, unknown> = {}, now = START) => {
  const rules = { issuer: ISSUER, audiences: [ISSUER], clockTolerance: 0, maxLifetime: 300 }
  const check = checkClaims(claimsAt(START, { scope: 'a b', roles: ['x', 'y'], acr: '2', ...more }), rules, START)
  if (!check.ok) throw new Error(check.reason)
  return findLack(check.claims, requires, now)
}

test.each<[Requirements, Record<string, unknown>, number]>([
  [{}, {}, 0],
  [{ scope: 'a' }, {}, 0],
  [{ scope: 'b a' }, {}, 0],
  [{ scope: ['a', 'b'] }, {}, 0],
  [{ roles: 'y' }, {}, 0],
  [{ roles: ['z', 'x'] }, {}, 0],
  [{ acr_values: '2' }, {}, 0],
  [{ acr_values: ['3', '2'] }, {}, 0],
  [{ max_age: 60 }, {}, 60],
  [{ scope: 'a', roles: 'x', acr_values: '2', max_age: 0 }, {}, 0],
])('%j is met', (requires, more, later) => {
  expect(lackOf(requires, more, START + later)).toBeNull()
})

test.each<[Requirements, Record<string, unknown>, number, object]>([
  [{ scope: 'c' }, {}, 0, { code: 'insufficient_scope', needs: { scope: 'c' } }],
  [{ scope: ['a', 'c'] }, {}, 0, { code: 'insufficient_scope', needs: { scope: 'a c' } }],
  [{ scope: 'a' }, { scope: '' }, 0, { code: 'insufficient_scope' }],
  [{ roles: ['z'] }, {}, 0, { code: 'insufficient_role', needs: {} }],
  [{ roles: 'x' }, { roles: undefined }, 0, { code: 'insufficient_role' }],
  [{ acr_values: ['3', '4'] }, {}, 0, { code: 'reauthentication_required', needs: { acr_values: '3 4' } }],
  [{ acr_values: '2' }, { acr: undefined }, 0, { code: 'reauthentication_required' }],
  [{ max_age: 60 }, {}, 60.5, { code: 'reauthentication_required', needs: { max_age: 60 } }],
  [{ max_age: Number.MAX_SAFE_INTEGER }, { auth_time: undefined }, 0, { code: 'reauthentication_required' }],
  [{ max_age: 60, acr_values: '3' }, {}, 0, { needs: { max_age: 60, acr_values: '3' } }],
])('%j is lacking in %j', (requires, more, later, lack) => {
  expect(lackOf(requires, more, START + later)).toMatchObject(lack)
})

describe('a verifier with requirements', () => {
  test('refuses what lacks them, with what is needed in the challenge', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ requires: { scope: 'notes:write' }, resourceMetadata: 'https://api.example/meta' })
    expect(await codeOf(verifier.verifyToken(await issuer.token({ scope: 'notes:write' })))).toBe('accepted')
    await expect(verifier.verifyToken(await issuer.token())).rejects.toMatchObject({
      code: 'insufficient_scope',
      status: 403,
      challenge: 'Bearer error="insufficient_scope", scope="notes:write", resource_metadata="https://api.example/meta"',
    })
  })

  test('asks for the age of the sign-in each time, of remembered tokens too', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ requires: { max_age: 60 }, freshness: 'offline' })
    const token = await issuer.token()
    expect(await codeOf(verifier.verifyToken(token))).toBe('accepted')
    issuer.advance(61_000)
    expect(await codeOf(verifier.verifyToken(token))).toBe('reauthentication_required')
  })

  test('says outdated before it says what is lacking: a refresh may bring it', async () => {
    const issuer = new Issuer(signingKey)
    issuer.deny({ kind: 'sub', id: 'account-1', ver: 4, end: end(issuer) })
    expect(await codeOf(issuer.verifier({ requires: { roles: 'admin' } }).verifyToken(await issuer.token()))).toBe('token_outdated')
  })

  test('names its metadata in every challenge', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ resourceMetadata: 'https://api.example/meta' })
    await expect(verifier.verify(new Request('https://api.example/'))).rejects.toMatchObject({
      challenge: 'Bearer resource_metadata="https://api.example/meta"',
    })
    await expect(verifier.verifyToken('a.b.c')).rejects.toMatchObject({
      challenge: 'Bearer error="invalid_token", resource_metadata="https://api.example/meta"',
    })
  })

  test.each<[string, object]>([
    ['requires.scope', { requires: { scope: '' } }],
    ['requires.scope', { requires: { scope: [] } }],
    ['requires.roles', { requires: { roles: [''] } }],
    ['requires.acr_values', { requires: { acr_values: 1 } }],
    ['requires.max_age', { requires: { max_age: -1 } }],
    ['requires.scopes', { requires: { scopes: 'misspelt' } }],
    ['resourceMetadata', { resourceMetadata: 'not a url' }],
    ['feed', { feed: 'websocket' }],
  ])('does not start with a wrong %s', (name, wrong) => {
    expect(() => new Issuer(signingKey).verifier(wrong)).toThrow(new RegExp(`^${name}:`))
  })
})

describe('a denied key while the list cannot be had', () => {
  test.each([
    ['fetched keys', {}],
    ['keys by value', { jwks: { keys: [signingKey.jwk] } }],
  ])('is what the issuer is asked about with the token (%s)', async (_name, options) => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier(options)
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.onFeed = () => Promise.reject(new Error('out of reach'))
    issuer.advance(5001)
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live' })
    expect(issuer.doubted).toEqual([signingKey.kid])
    issuer.keys = [(await makeKey('k2')).jwk]
    issuer.advance(5001)
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    expect(await codeOf(verifier.verifyToken(token, { freshness: 'live' }))).toBe('token_revoked')
  })

  test('nobody is let in while neither the list nor the issuer can say whether the key is denied', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.onFeed = () => Promise.reject(new Error('out of reach'))
    issuer.onJwks = () => Promise.reject(new Error('out of reach'))
    issuer.advance(6000)
    await expect(verifier.verifyToken(token)).rejects.toMatchObject({ code: 'verifier_unavailable' })
    await expect(verifier.verifyToken(token, { freshness: 'live' })).rejects.toMatchObject({ code: 'verifier_unavailable' })
  })

  test('a view that is within the bound but not fresh does not answer for a live route: the issuer does', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live' })
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.onFeed = () => Promise.reject(new Error('out of reach'))
    issuer.advance(3000)
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live' })
    expect(issuer.doubted).toEqual([undefined, signingKey.kid])
    issuer.onJwks = () => Promise.reject(new Error('out of reach'))
    await expect(verifier.verifyToken(token)).rejects.toMatchObject({ code: 'verifier_unavailable' })
  })

  test('the list answers for the key while it is within its bound', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live' })
    for (let i = 0; i < 20; i++) {
      await verifier.verifyToken(await issuer.token())
      issuer.advance(1000)
    }
    expect(issuer.doubted).toEqual(Array(20).fill(undefined))
  })
})
