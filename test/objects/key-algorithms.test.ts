import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SigningAlgorithm } from '../../src/keys/key.ts'
import { ACTIVE_SECONDS, PUBLISHED_AHEAD_SECONDS, RETIRED_SECONDS } from '../../src/keys/rotation.ts'
import { openSecretRing } from '../../src/keys/secret-ring.ts'
import { Signer } from '../../src/keys/signer.ts'
import { KeySet } from '../../src/objects/key-set.ts'

const keySet = () => env.KEY_SET.getByName(crypto.randomUUID())
type KeySetStub = ReturnType<typeof keySet>

let now = 0
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
  vi.restoreAllMocks()
})

/** Counts the keys that are made, as they are made. */
function countKeys() {
  const made: string[] = []
  const generate = crypto.subtle.generateKey.bind(crypto.subtle)
  vi.spyOn(crypto.subtle, 'generateKey').mockImplementation((algorithm, extractable, usages) => {
    made.push(typeof algorithm === 'string' ? algorithm : algorithm.name)
    return generate(algorithm, extractable, [...usages])
  })
  return { rsa: () => made.filter((name) => name.startsWith('RSA')).length, all: () => made.length }
}

const listed = async (keys: KeySetStub) => (await keys.list()).map(({ alg, state }) => `${state} ${alg}`).sort()
/** What callers take for the key that signs access tokens: the first active one. */
const firstActive = async (keys: Pick<KeySet, 'list'>) => (await keys.list()).find(({ state }) => state === 'active')
const kidOf = async (keys: KeySetStub, alg?: SigningAlgorithm) => (await keys.activeKey(alg)).kid

/** The object as it is after SIGNING_ALG has been changed. */
const withSigningAlg = <T>(keys: KeySetStub, alg: SigningAlgorithm, use: (changed: KeySet) => Promise<T>): Promise<T> =>
  runInDurableObject(keys, (_, state) => use(new KeySet(state, { ...env, SIGNING_ALG: alg })))

describe('RSA keys', () => {
  test('keep no sign-in waiting: the access token key is there without them, and the alarm makes them', async () => {
    const keys = keySet()
    const made = countKeys()
    await keys.activeKey()
    await keys.activeKey('ES256')
    expect([made.all(), made.rsa()]).toEqual([2, 0])
    expect(await listed(keys)).toEqual(['active ES256', 'next ES256'])
    expect(await runDurableObjectAlarm(keys)).toBe(true)
    expect(made.rsa()).toBe(2)
    expect(await listed(keys)).toEqual(['active ES256', 'active RS256', 'next ES256', 'next RS256'])
  })

  test('are made once, however many ask for the first at the same time', async () => {
    const keys = keySet()
    const made = countKeys()
    await Promise.all([...Array.from({ length: 10 }, () => keys.jwks()), ...Array.from({ length: 10 }, () => keys.activeKey('RS256'))])
    expect([made.all(), made.rsa()]).toEqual([4, 2])
    await Promise.all([keys.jwks(), keys.activeKey('RS256'), runDurableObjectAlarm(keys)])
    expect(made.all()).toBe(4)
  })

  test('that are missing after a revocation are made by whoever asks next', async () => {
    const keys = keySet()
    await keys.jwks()
    const made = countKeys()
    expect(await keys.revoke(await kidOf(keys, 'RS256'))).toEqual({ denied: true })
    expect(made.all()).toBe(0)
    expect((await keys.jwks()).keys.map(({ alg }) => alg).sort()).toEqual(['ES256', 'ES256', 'RS256', 'RS256'])
    expect(made.all()).toBe(1)
  })

  test('are there for a database that had one algorithm, and nothing of it is lost', async () => {
    const keys = keySet()
    await keys.activeKey()
    const before = await keys.list()
    await evictDurableObject(keys)
    const kids = (await keys.jwks()).keys.map(({ kid }) => kid)
    expect(kids).toEqual(expect.arrayContaining(before.map(({ kid }) => kid)))
    expect(kids).toHaveLength(4)
    expect((await keys.list()).slice(0, 2)).toEqual(before)
  })
})

describe('each algorithm', () => {
  test('is rotated by hand and revoked on its own', async () => {
    const keys = keySet()
    await keys.jwks()
    const [es256, rs256] = [await kidOf(keys), await kidOf(keys, 'RS256')]
    later(2)
    const rotated = await keys.rotate('RS256')
    expect(rotated).toEqual({ ok: true, kid: await kidOf(keys, 'RS256') })
    expect([await kidOf(keys), await kidOf(keys, 'RS256')]).toEqual([es256, expect.not.stringMatching(rs256)])
    expect((await keys.jwks()).keys.map(({ kid }) => kid)).toContain(rs256)
    expect(await keys.rotate()).toMatchObject({ ok: true })
    expect(await keys.rotate('RS256')).toEqual({ ok: false, error: 'too_soon', retryAfter: 2 })
    await keys.revoke(await kidOf(keys, 'RS256'))
    expect(await listed(keys)).toEqual([
      ...['active ES256', 'active RS256', 'next ES256', 'next RS256', 'retired ES256', 'retired RS256', 'revoked RS256'],
    ])
  })

  test('goes by its own schedule', async () => {
    const keys = keySet()
    await keys.activeKey()
    later(1000)
    await keys.jwks()
    const [es256, rs256] = [await kidOf(keys), await kidOf(keys, 'RS256')]
    later(ACTIVE_SECONDS - 1000)
    expect([(await kidOf(keys)) === es256, (await kidOf(keys, 'RS256')) === rs256]).toEqual([false, true])
    later(1000)
    await runDurableObjectAlarm(keys)
    expect((await kidOf(keys, 'RS256')) === rs256).toBe(false)
    expect((await listed(keys)).filter((key) => key.endsWith('RS256'))).toEqual(['active RS256', 'next RS256', 'retired RS256'])
  })

  test('that nothing is signed with cannot be rotated or signed with', async () => {
    const keys = keySet()
    expect(await keys.rotate('EdDSA')).toEqual({ ok: false, error: 'unknown_alg' })
    await expect(runInDurableObject(keys, (instance) => instance.activeKey('EdDSA'))).rejects.toThrow('EdDSA')
  })

  test('two rotations by hand at the same time are one: the key that follows is too young', async () => {
    const keys = keySet()
    await keys.jwks()
    for (const alg of ['ES256', 'RS256'] as const) {
      later(2)
      const answers = await Promise.all(Array.from({ length: 5 }, () => keys.rotate(alg)))
      expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
      for (const answer of answers) if (!answer.ok) expect(answer).toMatchObject({ error: 'too_soon' })
    }
  })
})

describe('another SIGNING_ALG', () => {
  test('signs access tokens a day later, and the keys of the former stay published until their tokens are dead', async () => {
    const keys = keySet()
    await keys.jwks()
    const former = await kidOf(keys)
    await withSigningAlg(keys, 'EdDSA', async (changed) => {
      expect(await changed.activeKey()).toMatchObject({
        kid: former,
        alg: 'ES256',
        signs_until: Math.floor(now / 1000) + PUBLISHED_AHEAD_SECONDS,
      })
      expect(await firstActive(changed)).toEqual({ kid: former, alg: 'ES256', state: 'active' })
      later(PUBLISHED_AHEAD_SECONDS)
      expect(await changed.activeKey()).toMatchObject({ alg: 'EdDSA' })
      expect(await firstActive(changed)).toMatchObject({ alg: 'EdDSA' })
      expect((await changed.jwks()).keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid)).toEqual([former])
      later(RETIRED_SECONDS)
      expect((await changed.jwks()).keys.map(({ alg }) => alg).sort()).toEqual(['EdDSA', 'EdDSA', 'RS256', 'RS256'])
    })
  })

  test('signs them at once after a rotation by hand', async () => {
    const keys = keySet()
    const former = await kidOf(keys)
    await withSigningAlg(keys, 'EdDSA', async (changed) => {
      await changed.jwks()
      later(2)
      const rotated = await changed.rotate()
      expect(rotated).toEqual({ ok: true, kid: (await changed.activeKey()).kid })
      expect((await changed.activeKey()).alg).toBe('EdDSA')
      expect(await changed.list()).toContainEqual({ kid: former, alg: 'ES256', state: 'retired' })
    })
  })

  test('whose former key is revoked meanwhile goes on with one that is published', async () => {
    const keys = keySet()
    const former = await kidOf(keys)
    await withSigningAlg(keys, 'EdDSA', async (changed) => {
      await changed.activeKey()
      await changed.revoke(former)
      const second = await changed.activeKey()
      expect(second).toMatchObject({ alg: 'ES256', kid: expect.not.stringMatching(former) })
      await changed.revoke(second.kid)
      expect((await changed.activeKey()).alg).toBe('EdDSA')
    })
  })

  test('whose own first key is revoked meanwhile waits on: its next key has been published no longer than that one', async () => {
    const keys = keySet()
    const former = await kidOf(keys)
    await withSigningAlg(keys, 'EdDSA', async (changed) => {
      const { kid } = await changed.activeKey('EdDSA')
      later(60)
      await changed.revoke(kid)
      expect((await changed.activeKey()).kid).toBe(former)
      later(PUBLISHED_AHEAD_SECONDS - 61)
      expect((await changed.activeKey()).kid).toBe(former)
      later(1)
      expect((await changed.activeKey()).alg).toBe('EdDSA')
    })
  })

  test('may be RS256: then ID tokens and access tokens share its keys', async () => {
    const keys = keySet()
    await keys.jwks()
    later(PUBLISHED_AHEAD_SECONDS)
    await withSigningAlg(keys, 'RS256', async (changed) => {
      expect(await changed.activeKey()).toEqual(await changed.activeKey('RS256'))
      expect((await changed.activeKey()).alg).toBe('RS256')
    })
  })
})

describe('a signer', () => {
  const read = (token: string) => JSON.parse(atob(token.split('.')[0] ?? '')) as { alg: string; typ: string; kid: string }
  const ID = { alg: 'RS256', typ: 'JWT' } as const

  test('keeps a key of each algorithm, and says which kind of token it signs', async () => {
    const keys = keySet()
    let asked = 0
    const activeKey = async (alg: SigningAlgorithm | undefined) => {
      asked += 1
      return keys.activeKey(alg)
    }
    const signer = new Signer(await openSecretRing([env.SALLYPORT_SECRET ?? '']), { activeKey, keyStatus: async () => 'good' })
    const seconds = Math.floor(now / 1000)
    const headers = async () => [
      read(await (await signer.prepare(seconds))({})),
      read(await (await signer.prepare(seconds, undefined, ID))({})),
      read(await (await signer.prepare(seconds, undefined, { ...ID, typ: 'logout+jwt' }))({})),
    ]
    const expected = [
      { alg: 'ES256', typ: 'at+jwt', kid: await kidOf(keys) },
      { ...ID, kid: await kidOf(keys, 'RS256') },
      { alg: 'RS256', typ: 'logout+jwt', kid: await kidOf(keys, 'RS256') },
    ]
    for (let round = 0; round < 3; round++) expect(await headers()).toEqual(expected)
    expect(asked).toBe(2)
    signer.forget()
    expect(await headers()).toEqual(expected)
    expect(asked).toBe(4)
  })

  test('follows the denial of one key and leaves the other', async () => {
    const keys = keySet()
    const asked: (string | undefined)[] = []
    const activeKey = async (alg: SigningAlgorithm | undefined) => {
      asked.push(alg)
      return keys.activeKey(alg)
    }
    const denied = new Set<string>()
    const signer = new Signer(await openSecretRing([env.SALLYPORT_SECRET ?? '']), {
      activeKey,
      keyStatus: async (kid) => (denied.has(kid) ? 'denied' : 'good'),
    })
    const seconds = Math.floor(now / 1000)
    const sign = async () => [
      read(await (await signer.prepare(seconds))({})).kid,
      read(await (await signer.prepare(seconds, undefined, ID))({})).kid,
    ]
    const [es256 = '', rs256 = ''] = await sign()
    await keys.revoke(rs256)
    denied.add(rs256)
    const [same, other] = await sign()
    expect([same, other]).toEqual([es256, expect.not.stringMatching(rs256)])
    expect(asked).toEqual([undefined, 'RS256', 'RS256'])
  })
})
