import { expect, test } from 'vitest'
import { type KeyCache, keyCache } from '../../src/sdk/key-cache.ts'
import { fail, forever, Issuer, makeKey } from './issuer.ts'

const k1 = await makeKey('k1')
const k2 = await makeKey('k2', 'EdDSA')
const MINUTE = 60_000

function cacheOf(issuer: Issuer, options: { keyCooldown?: number; flightTimeout?: number } = {}): KeyCache {
  return keyCache(issuer, { nowMs: () => issuer.nowMs, keyCooldown: 1000, ...options })
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 5))

test('keys are fetched once, however many ask at once', async () => {
  const issuer = new Issuer(k1)
  issuer.onJwks = settle as () => Promise<void>
  const cache = cacheOf(issuer)
  const answers = await Promise.all(Array.from({ length: 50 }, () => cache.find('k1')))
  expect(answers.every((answer) => answer.ok)).toBe(true)
  expect(issuer.calls.jwks).toBe(1)
})

test('a flood of unknown kids fetches once per cooldown', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  for (let second = 1; second <= 3; second++) {
    issuer.advance(1000)
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => cache.find(`unknown-${i}`)))
    for (let i = 0; i < 50; i++) answers.push(await cache.find(`later-${i}`))
    expect(answers.every((answer) => !answer.ok && answer.error === 'unknown')).toBe(true)
    expect(issuer.calls.jwks).toBe(1 + second)
  }
})

test('a new key is found after the cooldown', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.keys.push(k2.jwk)
  expect(await cache.find('k2')).toMatchObject({ ok: false, error: 'unknown' })
  issuer.advance(1000)
  expect(await cache.find('k2')).toMatchObject({ ok: true, key: { alg: 'EdDSA' } })
})

test('keys are refreshed in the background after five minutes', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.advance(5 * MINUTE)
  expect(await cache.find('k1')).toMatchObject({ ok: true })
  expect(issuer.calls.jwks).toBe(1)
  issuer.advance(1)
  const work: Promise<unknown>[] = []
  expect(await cache.find('k1', (promise) => work.push(promise))).toMatchObject({ ok: true })
  expect(work).toHaveLength(1)
  await Promise.all(work)
  expect(issuer.calls.jwks).toBe(2)
  await cache.find('k1')
  expect(issuer.calls.jwks).toBe(2)
})

test('the last known good keys serve while fetching fails, for an hour and no longer', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.onJwks = fail
  issuer.advance(60 * MINUTE)
  expect(await cache.find('k1')).toMatchObject({ ok: true })
  await settle()
  issuer.advance(1001)
  expect(cache.peek('k1', issuer.nowMs)).toBeUndefined()
  expect(await cache.find('k1')).toEqual({ ok: false, error: 'unavailable' })
})

test('an unknown kid while keys cannot be had is unavailable, not unknown', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  issuer.onJwks = fail
  expect(await cache.find('k1')).toEqual({ ok: false, error: 'unavailable' })
  expect(await cache.find('k1')).toEqual({ ok: false, error: 'unavailable' })
  expect(issuer.calls.jwks).toBe(1)
  issuer.onJwks = async () => {}
  issuer.advance(1000)
  expect(await cache.find('k1')).toMatchObject({ ok: true })
  issuer.onJwks = fail
  issuer.advance(1000)
  expect(await cache.find('k2')).toEqual({ ok: false, error: 'unavailable' })
  expect(await cache.find('k1')).toMatchObject({ ok: true })
})

test('who waits for a fetch whose request was cancelled fetches again', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer, { flightTimeout: 40 })
  issuer.onJwks = forever
  void cache.find('k1')
  issuer.onJwks = async () => {}
  const follower = cache.find('k1')
  issuer.advance(1000)
  expect(await follower).toMatchObject({ ok: true })
  expect(issuer.calls.jwks).toBe(2)
})

test('a fetch that never ends is given up on', async () => {
  const issuer = new Issuer(k1)
  issuer.onJwks = forever
  expect(await cacheOf(issuer, { flightTimeout: 20 }).find('k1')).toEqual({ ok: false, error: 'unavailable' })
})

test('a key that left the set is not found any more', async () => {
  const issuer = new Issuer(k1)
  issuer.keys = [k1.jwk, k2.jwk]
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.keys = [k2.jwk]
  issuer.advance(1000)
  await cache.find('unknown')
  expect(await cache.find('k1')).toEqual({ ok: false, error: 'unknown' })
})

test('a key that stayed is the same object, another key of the same kid is not', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  const first = cache.peek('k1', issuer.nowMs)
  issuer.advance(1000)
  await cache.find('unknown')
  expect(cache.peek('k1', issuer.nowMs)).toBe(first)
  issuer.keys = [{ ...(await makeKey('k1')).jwk }]
  issuer.advance(1000)
  await cache.find('unknown')
  expect(cache.peek('k1', issuer.nowMs)).not.toBe(first)
})

test('bad keys are skipped', async () => {
  const issuer = new Issuer(k1)
  issuer.keys = [{ kty: 'oct', k: 'AA', kid: 'h', alg: 'HS256' }, {}, { ...k2.jwk, d: 'AA' }, k1.jwk]
  const cache = cacheOf(issuer)
  expect(await cache.find('k1')).toMatchObject({ ok: true })
  expect(await cache.find('h')).toMatchObject({ ok: false })
})

test.each<[string, Record<string, unknown>[]]>([
  ['one kid twice', [k1.jwk, { ...k2.jwk, kid: 'k1' }]],
  ['too many keys', Array.from({ length: 65 }, (_, i) => ({ ...k1.jwk, kid: `k${i}` }))],
  ['no key', []],
  ['no usable key', [{ kty: 'oct', k: 'AA', kid: 'k1', alg: 'HS256' }]],
])('a set with %s changes nothing', async (_name, keys) => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.keys = keys
  issuer.advance(1000)
  expect(await cache.find('unknown')).toEqual({ ok: false, error: 'unavailable' })
  expect(await cache.find('k1')).toMatchObject({ ok: true })
})

test('keys are not trusted across a clock that was set back', async () => {
  const issuer = new Issuer(k1)
  const cache = cacheOf(issuer)
  await cache.find('k1')
  issuer.advance(-60 * MINUTE)
  expect(cache.peek('k1', issuer.nowMs)).toBeUndefined()
  expect(await cache.find('k1')).toMatchObject({ ok: true })
  expect(issuer.calls.jwks).toBe(2)
})
