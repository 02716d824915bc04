import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { hashClientSecret, makeClientSecret } from '../../src/clients/client-secret.ts'
import { IDLE_SECONDS, NEVER_USED_SECONDS, USE_SECONDS } from '../../src/clients/idle.ts'
import { readClientMetadata } from '../../src/clients/metadata.ts'
import { callHook } from '../../src/objects/call.ts'
import { MAX_SECRETS, SECRET_OVERLAP_SECONDS } from '../../src/objects/client.ts'
import { createVerifier, TokenError } from '../../src/sdk/index.ts'
import { randomId } from '../../src/tokens/random-id.ts'

const RULES = { source: 'registration', development: false, issuer: 'https://a.example', signingAlg: 'ES256', mayBeLegacy: false } as const
const BASIC = { redirect_uris: ['https://shop.example.com/callback'] }
const PUBLIC = { ...BASIC, token_endpoint_auth_method: 'none' }

function metadata(client_id: string, members: object = BASIC) {
  const read = readClientMetadata(client_id, members, RULES)
  if (!read.ok) throw new Error(read.description)
  return read.client
}
const objectOf = (client_id: string) => env.CLIENT.getByName(client_id)
type Stub = ReturnType<typeof objectOf>

async function registered(members: object = BASIC) {
  const client_id = randomId()
  const stub = objectOf(client_id)
  const secret_hash = await hashClientSecret(makeClientSecret())
  const token = await hashClientSecret(randomId())
  const client = metadata(client_id, members)
  const stored = { client, registration_hash: token, secret_hash: client.token_endpoint_auth_method === 'none' ? null : secret_hash }
  expect(await stub.register(stored)).toMatchObject({ ok: true })
  return { client_id, stub, token, secret_hash, stored }
}

const tablesOf = (stub: Stub) =>
  runInDurableObject(stub, (_, state) =>
    state.storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
  )
const alarmOf = (stub: Stub) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())
const isLive = async (stub: Stub, jti = 'any', registered = true) => (await stub.check({ jti, registered })).active

let now = 0
const later = (seconds: number) => {
  now += seconds * 1000
  vi.setSystemTime(now)
}
const seconds = () => Math.floor(now / 1000)
const cutOff = () => {
  callHook.before = (label) => {
    if (label === 'RevocationList.add') throw new Error('unreachable')
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Date.now()
})
afterEach(() => {
  vi.useRealTimers()
  delete callHook.before
})

describe('a registered client', () => {
  test('is found with its secret, after a restart too, and its registration is safe to repeat', async () => {
    const { stub, stored, secret_hash, client_id } = await registered()
    await evictDurableObject(stub)
    const known = await stub.find()
    expect(known).toEqual({ client: metadata(client_id), secrets: [{ hash: secret_hash, expires_at: null }] })
    expect(await stub.register(stored)).toMatchObject({ ok: true })
    expect(await stub.register({ ...stored, registration_hash: 'other' })).toEqual({ ok: false, error: 'taken' })
    expect(await stub.find()).toEqual(known)
  })

  test('that nobody registered stores nothing, whatever is asked', async () => {
    const stub = objectOf(randomId())
    expect(await stub.find()).toBeNull()
    expect(await stub.read('x')).toEqual({ ok: false, error: 'invalid_token' })
    expect(await stub.remove('x')).toEqual({ ok: false, error: 'invalid_token' })
    expect(await stub.rotateSecret('x', 'y')).toEqual({ ok: false, error: 'invalid_token' })
    await stub.use()
    expect(await isLive(stub)).toBe(false)
    expect(await isLive(stub, 'any', false)).toBe(true)
    expect(await tablesOf(stub)).toEqual([])
    expect(await alarmOf(stub)).toBeNull()
  })

  test('is managed by its own token only', async () => {
    const { stub, client_id, token, secret_hash } = await registered()
    const other = await registered()
    for (const wrong of ['', 'x', other.token]) {
      const refused = { ok: false, error: 'invalid_token' }
      expect(await stub.read(wrong)).toEqual(refused)
      expect(await stub.update(wrong, { client: metadata(client_id, PUBLIC), secret_hash: 'x', given_hash: null })).toEqual(refused)
      expect(await stub.rotateSecret(wrong, 'x')).toEqual(refused)
      expect(await stub.remove(wrong)).toEqual(refused)
    }
    expect(await stub.read(token)).toMatchObject({ ok: true, created_at: seconds() })
    expect((await stub.find())?.secrets).toEqual([{ hash: secret_hash, expires_at: null }])
  })

  test('keeps its secret when it says something else, loses it when it needs none, gets one when it needs one', async () => {
    const { stub, client_id, token, secret_hash } = await registered()
    const update = (members: object, fresh: string, given_hash: string | null = null) =>
      stub.update(token, { client: metadata(client_id, members), secret_hash: fresh, given_hash })
    const elsewhere = { redirect_uris: ['https://shop.example.com/other'] }
    expect(await update(elsewhere, 'fresh', secret_hash)).toMatchObject({ ok: true, taken: false, client: elsewhere })
    expect(await update(BASIC, 'fresh', 'not it')).toEqual({ ok: false, error: 'wrong_secret' })
    expect(await stub.find()).toMatchObject({ client: elsewhere, secrets: [{ hash: secret_hash }] })
    expect(await update(PUBLIC, 'fresh')).toMatchObject({ ok: true, taken: false })
    expect((await stub.find())?.secrets).toEqual([])
    expect(await update(BASIC, 'fresh')).toMatchObject({ ok: true, taken: true })
    expect(await update(BASIC, 'fresh')).toMatchObject({ ok: true, taken: true })
    expect(await update(BASIC, 'fresher')).toMatchObject({ ok: true, taken: false })
    expect((await stub.find())?.secrets).toEqual([{ hash: 'fresh', expires_at: null }])
  })

  test('rotates its secret: the old one lives a day more, not longer for being rotated again', async () => {
    const { stub, token, secret_hash } = await registered()
    const end = seconds() + SECRET_OVERLAP_SECONDS
    later(1)
    for (let arrivals = 0; arrivals < 2; arrivals++) expect(await stub.rotateSecret(token, 'second')).toMatchObject({ ok: true })
    const both = (await stub.find())?.secrets
    expect(both).toEqual([
      { hash: 'second', expires_at: null },
      { hash: secret_hash, expires_at: end + 1 },
    ])
    later(3600)
    await stub.rotateSecret(token, 'third')
    expect((await stub.find())?.secrets.at(-1)).toEqual({ hash: secret_hash, expires_at: end + 1 })
    later(SECRET_OVERLAP_SECONDS - 3600)
    expect((await stub.find())?.secrets.map(({ hash }) => hash)).toEqual(['third', 'second'])
    later(3600)
    expect((await stub.find())?.secrets.map(({ hash }) => hash)).toEqual(['third'])
  })

  test('has a bounded number of secrets, the newest ones', async () => {
    const { stub, token } = await registered()
    for (let n = 0; n < 20; n++) {
      later(1)
      await stub.rotateSecret(token, `secret ${n}`)
    }
    const secrets = (await stub.find())?.secrets ?? []
    expect(secrets.map(({ hash }) => hash)).toEqual(Array.from({ length: MAX_SECRETS }, (_, n) => `secret ${19 - n}`))
    expect(secrets.filter(({ expires_at }) => expires_at === null)).toHaveLength(1)
  })

  test('without a secret rotates none', async () => {
    const { stub, token } = await registered(PUBLIC)
    expect(await stub.rotateSecret(token, 'x')).toEqual({ ok: false, error: 'no_secret' })
  })
})

/** What a verifier says of a machine token with these claims: the feed is the deployment's own. */
async function denialOf({ client_id, jti = randomId(), iat }: { client_id: string; jti?: string; iat: number }) {
  const pair = await crypto.subtle.generateKey({ name: 'Ed25519' }, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('no pair')
  const { x, crv, kty } = (await crypto.subtle.exportKey('jwk', pair.publicKey)) as JsonWebKey
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: 'https://a.example',
    aud: 'https://a.example',
    sub: client_id,
    client_id,
    jti,
    iat,
    exp: iat + 300,
    scope: '',
    ver: 1,
  }
  const input = `${part({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k' })}.${part(claims)}`
  const signature = Buffer.from(await crypto.subtle.sign('Ed25519', pair.privateKey, Buffer.from(input))).toString('base64url')
  const binding = {
    jwks: async () => ({ keys: [{ kty, crv, x, kid: 'k', alg: 'EdDSA', use: 'sig' }] }),
    revocations: (after: string | null) => env.REVOCATION_LIST.getByName('list').feed(after),
    check: async () => ({ active: true }) as const,
  }
  const verifier = createVerifier({ issuer: 'https://a.example', audience: 'https://a.example', binding })
  try {
    await verifier.verifyToken(`${input}.${signature}`)
    return 'accepted'
  } catch (error) {
    return error instanceof TokenError ? error.code : String(error)
  }
}

describe('removing a client', () => {
  test('forgets it and denies every token of it, those that readers still give out too', async () => {
    const { stub, client_id, token } = await registered()
    expect(await denialOf({ client_id, iat: seconds() })).toBe('accepted')
    expect(await stub.remove(token)).toEqual({ ok: true, denied: true })
    expect(await stub.find()).toBeNull()
    expect(await isLive(stub)).toBe(false)
    expect(await denialOf({ client_id, iat: seconds() })).toBe('token_revoked')
    // Given out by a slow request of a reader who knew the client for its 5 seconds, and presented at the last moment of its life.
    later(60)
    const iat = seconds()
    later(299)
    expect(await denialOf({ client_id, iat })).toBe('token_revoked')
    expect(await stub.remove(token)).toEqual({ ok: false, error: 'invalid_token' })
  })

  test('leaves nothing behind once the list has it', async () => {
    const { stub, token } = await registered()
    await stub.remove(token)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await tablesOf(stub)).toEqual([])
    expect(await alarmOf(stub)).toBeNull()
    expect(await stub.find()).toBeNull()
  })

  test('that the list cannot hear is not acknowledged, can be repeated, and is told by the alarm after a restart', async () => {
    const { stub, client_id, token } = await registered()
    cutOff()
    expect(await stub.remove(token)).toEqual({ ok: true, denied: false })
    expect(await stub.remove(token)).toEqual({ ok: true, denied: false })
    expect(await stub.remove('x')).toEqual({ ok: false, error: 'invalid_token' })
    expect(await stub.find()).toBeNull()
    await evictDurableObject(stub)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await stub.remove(token)).toEqual({ ok: true, denied: false })
    delete callHook.before
    await runDurableObjectAlarm(stub)
    expect(await denialOf({ client_id, iat: seconds() })).toBe('token_revoked')
    expect(await tablesOf(stub)).toEqual([])
  })

  test('of 20 at once removes once, and registration is over', async () => {
    const { stub, token } = await registered()
    const answers = await Promise.all(Array.from({ length: 20 }, () => stub.remove(token)))
    expect(answers.some(({ ok }) => ok)).toBe(true)
    expect(await stub.find()).toBeNull()
  })
})

describe('a machine token that was taken back', () => {
  test.each([['registered'], ['configured']])(
    'of a %s client is refused by live and by the list, until it would have expired',
    async (kind) => {
      const made = kind === 'registered' ? await registered({ grant_types: ['client_credentials'] }) : null
      const client_id = made?.client_id ?? 'reports'
      const stub = objectOf(client_id)
      const [jti, other] = [randomId(), randomId()]
      const exp = seconds() + 300
      expect(await stub.revokeToken({ jti, exp })).toEqual({ ok: true, denied: true })
      expect(await stub.revokeToken({ jti, exp })).toEqual({ ok: true, denied: true })
      await evictDurableObject(stub)
      expect(await isLive(stub, jti, made !== null)).toBe(false)
      expect(await isLive(stub, other, made !== null)).toBe(true)
      expect(await denialOf({ client_id, jti, iat: seconds() })).toBe('token_revoked')
      expect(await denialOf({ client_id, jti: other, iat: seconds() })).toBe('accepted')
      later(299)
      await runDurableObjectAlarm(stub)
      expect(await isLive(stub, jti, made !== null)).toBe(false)
      later(30)
      expect(await runDurableObjectAlarm(stub)).toBe(true)
      const left = (await tablesOf(stub)).length
      if (made) expect(await stub.find()).not.toBeNull()
      else expect(left).toBe(0)
    },
  )

  test('says so only when the list has it', async () => {
    const { stub } = await registered()
    cutOff()
    const revoked = { jti: randomId(), exp: seconds() + 300 }
    expect(await stub.revokeToken(revoked)).toEqual({ ok: true, denied: false })
    expect(await isLive(stub, revoked.jti)).toBe(false)
    delete callHook.before
    expect(await stub.revokeToken(revoked)).toEqual({ ok: true, denied: true })
  })

  test('is not kept for longer than it can live, whatever is said of it', async () => {
    const stub = objectOf(`machine-${randomId()}`)
    await stub.revokeToken({ jti: 'dead', exp: seconds() - 3600 })
    await stub.revokeToken({ jti: 'eternal', exp: 2 ** 40 })
    later(400)
    await runDurableObjectAlarm(stub)
    expect(await tablesOf(stub)).toEqual([])
  })
})

describe('an idle client', () => {
  test('that was never used goes after a week, not before', async () => {
    const { stub, client_id } = await registered()
    expect(await alarmOf(stub)).toBe((seconds() + NEVER_USED_SECONDS) * 1000)
    later(NEVER_USED_SECONDS - 60)
    await runDurableObjectAlarm(stub)
    expect(await stub.find()).not.toBeNull()
    later(60)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await stub.find()).toBeNull()
    expect(await tablesOf(stub)).toEqual([])
    expect(await denialOf({ client_id, iat: seconds() })).toBe('token_revoked')
  })

  test('that was used goes 90 days after the last time, and its use is written once a day', async () => {
    const { stub } = await registered()
    const usedAt = () =>
      runInDurableObject(stub, (_, state) => state.storage.sql.exec<{ used_at: number }>('SELECT used_at FROM client').one().used_at)
    await stub.use()
    const first = seconds()
    later(USE_SECONDS - 1)
    await stub.use()
    expect(await usedAt()).toBe(first)
    later(1)
    await stub.use()
    expect(await usedAt()).toBe(first + USE_SECONDS)
    later(IDLE_SECONDS - 60)
    await runDurableObjectAlarm(stub)
    expect(await stub.find()).not.toBeNull()
    await stub.use()
    later(IDLE_SECONDS - 60)
    await runDurableObjectAlarm(stub)
    expect(await stub.find()).not.toBeNull()
    later(60)
    await runDurableObjectAlarm(stub)
    expect(await stub.find()).toBeNull()
  })
})
