import { expect, test } from 'vitest'
import { boundedMap } from '../../src/sdk/bounded-map.ts'
import { codeOf, end, fail, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')

test('a remembered token needs neither keys nor cryptography again', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier()
  const token = await issuer.token()
  const first = await verifier.verifyToken(token)
  issuer.onJwks = fail
  const second = await verifier.verifyToken(token)
  expect(second.claims).toBe(first.claims)
})

test('a remembered token is refused once it has expired', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ freshness: 'offline' })
  const token = await issuer.token()
  await verifier.verifyToken(token)
  issuer.advance(299_999)
  expect(await codeOf(verifier.verifyToken(token))).toBe('accepted')
  issuer.advance(1)
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_expired')
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_expired')
})

test('a remembered token is refused once it is denied', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier()
  const token = await issuer.token({ grant_id: 'g1' })
  await verifier.verifyToken(token)
  issuer.deny({ kind: 'grant_id', id: 'g1', end: end(issuer) })
  issuer.advance(5001)
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
})

test('a remembered token is refused once its key has left the set', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ freshness: 'offline', keyCooldown: 0 })
  const token = await issuer.token()
  await verifier.verifyToken(token)
  issuer.keys = [(await makeKey('k2')).jwk]
  await codeOf(verifier.verifyToken(await fromUnknownKey()))
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_invalid')

  async function fromUnknownKey(): Promise<string> {
    return new Issuer(await makeKey('k3')).token()
  }
})

test('a remembered token keeps the keys fresh', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ freshness: 'offline' })
  await verifier.verifyToken(await issuer.token())
  issuer.advance(200_000)
  const token = await issuer.token()
  await verifier.verifyToken(token)
  issuer.advance(100_001)
  await verifier.verifyToken(token)
  expect(issuer.calls.jwks).toBe(2)
})

test('another spelling of a token is not the remembered one', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier()
  const token = await issuer.token()
  await verifier.verifyToken(token)
  const last = token.slice(-1)
  for (const spelling of [`${token}=`, `${token}\n`, ` ${token}`, token.slice(0, -1) + String.fromCharCode(last.charCodeAt(0) + 1)]) {
    expect(await codeOf(verifier.verifyToken(spelling))).toBe('token_invalid')
  }
})

test('with a memory of 0 each token is verified anew', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ memory: 0 })
  const token = await issuer.token()
  const first = await verifier.verifyToken(token)
  const second = await verifier.verifyToken(token)
  expect(second).toEqual(first)
  expect(second.claims).not.toBe(first.claims)
})

test('a flood of bad tokens evicts no good one', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ memory: 4 })
  const token = await issuer.token()
  const { claims } = await verifier.verifyToken(token)
  for (let i = 0; i < 200; i++) expect(await codeOf(verifier.verifyToken(`${token}${i}`))).toBe('token_invalid')
  expect((await verifier.verifyToken(token)).claims).toBe(claims)
})

test('the map holds no more than its limit, and what is asked for stays', () => {
  const map = boundedMap<number>(10)
  for (let i = 0; i < 1000; i++) {
    map.set(`k${i}`, i)
    expect(map.get('k0')).toBe(0)
    expect(map.get(`k${i}`)).toBe(i)
  }
  const held = Array.from({ length: 1000 }, (_, i) => map.get(`k${i}`)).filter((value) => value !== undefined)
  expect(held.length).toBeLessThanOrEqual(10)
  expect(map.get('k900')).toBeUndefined()
  map.set('k999', 999)
  map.delete('k999')
  expect(map.get('k999')).toBeUndefined()
  const none = boundedMap<number>(0)
  none.set('a', 1)
  expect(none.get('a')).toBeUndefined()
})
