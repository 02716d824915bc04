import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unwrapKey } from '../../src/keys/generate.ts'
import { ACTIVE_SECONDS, RETIRED_SECONDS } from '../../src/keys/rotation.ts'
import { openSecretRing } from '../../src/keys/secret-ring.ts'
import { SecretRingError, Signer } from '../../src/keys/signer.ts'
import { callHook } from '../../src/objects/call.ts'
import type { KeySet } from '../../src/objects/key-set.ts'

const keySet = (name = crypto.randomUUID()) => env.KEY_SET.getByName(name)
type KeySetStub = ReturnType<typeof keySet>
/** A rotation by hand, when the next key has been published for a moment. */
async function rotated(keys: KeySetStub): Promise<string> {
  await keys.jwks()
  later(2)
  const answer = await keys.rotate()
  if (!answer.ok) throw new Error(answer.error)
  return answer.kid
}
const states = async (keys: KeySetStub, of = 'ES256') =>
  (await keys.list())
    .filter(({ alg }) => alg === of)
    .map(({ state }) => state)
    .sort()
const published = async (keys: KeySetStub) => (await keys.jwks()).keys.map(({ kid }) => kid).sort()
let now = 0
const sign = async (signer: Signer) => (await signer.prepare(Math.floor(now / 1000)))({})
const later = (seconds: number) => {
  now += seconds * 1000
  vi.setSystemTime(now)
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Date.now()
})
afterEach(() => {
  vi.useRealTimers()
  delete callHook.before
})

test('one authority: 20 first callers at once see the same keys', async () => {
  const keys = keySet()
  const answers = await Promise.all(Array.from({ length: 20 }, () => published(keys)))
  expect(new Set(answers.map(String)).size).toBe(1)
  expect(await states(keys)).toEqual(['active', 'next'])
  expect(await states(keys, 'RS256')).toEqual(['active', 'next'])
})

test('the public keys hold no private member', async () => {
  const members = (await keySet().jwks()).keys.map((jwk) => Object.keys(jwk).sort().join(' '))
  expect(members.sort()).toEqual([...Array(2).fill('alg crv kid kty use x y'), ...Array(2).fill('alg e kid kty n use')])
})

test('private keys are stored wrapped, and open with the secret alone', async () => {
  const keys = keySet()
  const active = await keys.activeKey()
  expect(await unwrapKey(active, await openSecretRing(['a-wrong-secret-of-at-least-32-characters']))).toBeNull()
  const pkcs8 = await unwrapKey(active, await openSecretRing([env.SALLYPORT_SECRET ?? '']))
  expect(pkcs8?.byteLength).toBeGreaterThan(100)
  expect(Buffer.from(active.wrapped).includes(Buffer.from(pkcs8 ?? new ArrayBuffer()).subarray(40, 60))).toBe(false)
})

test('by the schedule: the next key takes over after 30 days, the retired one goes when its tokens are dead', async () => {
  const keys = keySet()
  const first = await keys.activeKey()
  expect(first.signs_until).toBe(Math.floor(now / 1000) + ACTIVE_SECONDS)
  later(ACTIVE_SECONDS)
  await runDurableObjectAlarm(keys)
  expect(await states(keys)).toEqual(['active', 'next', 'retired'])
  expect((await keys.activeKey()).kid).not.toBe(first.kid)
  expect(await published(keys)).toContain(first.kid)
  later(RETIRED_SECONDS)
  await runDurableObjectAlarm(keys)
  expect(await published(keys)).not.toContain(first.kid)
})

test('a late alarm delays nothing: what is due happens when it is read', async () => {
  const keys = keySet()
  const first = await keys.activeKey()
  later(ACTIVE_SECONDS + 5)
  await evictDurableObject(keys)
  expect((await keys.activeKey()).kid).not.toBe(first.kid)
})

test('a rotation by hand lets the published key sign, and goes on publishing the old one', async () => {
  const keys = keySet()
  const before = await published(keys)
  const old = await keys.activeKey()
  const kid = await rotated(keys)
  expect(before).toContain(kid)
  expect((await keys.activeKey()).kid).toBe(kid)
  expect(await published(keys)).toEqual(expect.arrayContaining([...before, old.kid]))
})

test('a revoked key leaves the key set at once, and is denied; again is the same', async () => {
  const keys = keySet()
  const active = await keys.activeKey()
  expect(await keys.revoke(active.kid)).toEqual({ denied: true })
  expect(await published(keys)).not.toContain(active.kid)
  expect(await states(keys)).toEqual(['active', 'next', 'revoked'])
  expect(await keys.revoke(active.kid)).toEqual({ denied: true })
  expect(await states(keys)).toEqual(['active', 'next', 'revoked'])
  expect(await keys.revoke('unknown')).toBeNull()
})

test('a revocation that the list cannot hear is told by the alarm', async () => {
  const keys = keySet()
  const active = await keys.activeKey()
  callHook.before = (label) => {
    if (label === 'RevocationList.add') throw new Error('unreachable')
  }
  expect(await keys.revoke(active.kid)).toEqual({ denied: false })
  expect(await published(keys)).not.toContain(active.kid)
  delete callHook.before
  await evictDurableObject(keys)
  expect(await runDurableObjectAlarm(keys)).toBe(true)
  const left = await runInDurableObject(keys, (_, state) => state.storage.sql.exec('SELECT seq FROM outbox').toArray())
  expect(left).toEqual([])
})

test('a signer follows a denial at once, and a rotation within a minute', async () => {
  const keys = keySet()
  const denied = new Set<string>()
  const ring = await openSecretRing([env.SALLYPORT_SECRET ?? ''])
  const signer = new Signer(ring, {
    activeKey: async () => keys.activeKey(),
    keyStatus: async (kid) => (denied.has(kid) ? 'denied' : 'good'),
  })
  const kidOf = async () => JSON.parse(atob((await sign(signer)).split('.')[0] ?? '')).kid
  const first = await kidOf()
  const second = await rotated(keys)
  later(30)
  expect(await kidOf()).toBe(first)
  later(31)
  expect(await kidOf()).toBe(second)
  later(1)
  await keys.revoke(second)
  denied.add(second)
  expect(await kidOf()).not.toBe(second)
})

test('a signer that cannot reach the key set signs on for five minutes at most', async () => {
  const keys = keySet()
  let reachable = true
  const ring = await openSecretRing([env.SALLYPORT_SECRET ?? ''])
  const activeKey = async () => {
    if (!reachable) throw new Error('unreachable')
    return keys.activeKey()
  }
  const signer = new Signer(ring, { activeKey, keyStatus: async () => 'good' })
  await sign(signer)
  reachable = false
  later(299)
  await sign(signer)
  later(1)
  await expect(sign(signer)).rejects.toThrow('unreachable')
})

test('a secret that was replaced instead of extended is named as the cause, and a rotation heals it', async () => {
  const keys = keySet()
  await keys.activeKey()
  const ring = await openSecretRing(['a-wrong-secret-of-at-least-32-characters'])
  const signer = new Signer(ring, { activeKey: async () => keys.activeKey(), keyStatus: async () => 'good' })
  await expect(sign(signer)).rejects.toThrow(SecretRingError)
  await runInDurableObject(keys, (_, state) => state.storage.sql.exec("UPDATE signing_key SET secret_id = 'ffffffff'"))
  const kid = await rotated(keys)
  const right = await openSecretRing([env.SALLYPORT_SECRET ?? ''])
  expect(await unwrapKey(await keys.activeKey(), right)).not.toBeNull()
  expect((await keys.activeKey()).kid).toBe(kid)
})

test('two rotations by hand in a row: the second waits until the next key has been published for a moment', async () => {
  const keys = keySet()
  await rotated(keys)
  expect(await keys.rotate()).toEqual({ ok: false, error: 'too_soon', retryAfter: 2 })
  later(2)
  expect(await keys.rotate()).toMatchObject({ ok: true })
})

test('a rotation whose next key is revoked meanwhile publishes another first: no key signs that nobody can have fetched', async () => {
  const keys = keySet()
  const signing = (await keys.activeKey()).kid
  later(2)
  const next = (await keys.list()).find(({ alg, state }) => alg === 'ES256' && state === 'next')?.kid ?? ''
  const [answer, revoked] = await runInDurableObject(keys, (instance: KeySet) => Promise.all([instance.rotate(), instance.revoke(next)]))
  expect(revoked).toEqual({ denied: true })
  expect((await keys.activeKey()).kid).toBe(signing)
  expect(answer).toEqual({ ok: false, error: 'too_soon', retryAfter: 2 })
  const known = await published(keys)
  expect(known).toContain(await rotated(keys))
})

test('a next key that no secret opens is replaced by one that is published first, while the key that signs is sound', async () => {
  const keys = keySet()
  const signing = (await keys.activeKey()).kid
  await runInDurableObject(keys, (_, state) => state.storage.sql.exec("UPDATE signing_key SET secret_id = 'ffffffff' WHERE state = 'next'"))
  later(2)
  expect(await keys.rotate()).toEqual({ ok: false, error: 'too_soon', retryAfter: 2 })
  expect((await keys.activeKey()).kid).toBe(signing)
  const known = await published(keys)
  expect(known).toContain(await rotated(keys))
})

test('when both keys are revoked under a rotation, a fresh one signs at once: there is no other', async () => {
  const keys = keySet()
  const listed = (await keys.list()).filter(({ alg }) => alg === 'ES256')
  later(2)
  const [answer] = await runInDurableObject(keys, (instance: KeySet) =>
    Promise.all([instance.rotate(), ...listed.map(({ kid }) => instance.revoke(kid))]),
  )
  expect(answer).toEqual({ ok: true, kid: (await keys.activeKey()).kid })
  expect(listed.map(({ kid }) => kid)).not.toContain((await keys.activeKey()).kid)
})

test('rotations without end publish no more keys than verifiers take, and go on when old ones are gone', async () => {
  const keys = keySet()
  for (let n = 0; n < 28; n++) await rotated(keys)
  expect(await published(keys)).toHaveLength(32)
  later(2)
  expect(await keys.rotate()).toMatchObject({ ok: false, error: 'too_many' })
  later(RETIRED_SECONDS)
  expect(await keys.rotate()).toMatchObject({ ok: true })
})
