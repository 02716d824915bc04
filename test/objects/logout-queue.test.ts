import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LOGOUT_RETRY_SECONDS, logoutWait } from '../../src/clients/logout-schedule.ts'
import { logoutStore } from '../../src/clients/logout-store.ts'
import { readClientMetadata } from '../../src/clients/metadata.ts'
import { callHook } from '../../src/objects/call.ts'
import { deliverLogouts } from '../../src/objects/logout-delivery.ts'
import type { LogoutNotice } from '../../src/revocation/outbox-store.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { newAccount } from '../support/account.ts'

const HERE = 'http://127.0.0.1:4711/logout'
const CALLBACK = 'https://shop.example.com/callback'

/** What was posted, oldest first: where to, and the claims of the logout token. */
type Posted = { url: string; jti: string; sid: string; iat: number }
let posted: Posted[] = []
/** How the client answers the next tries; after that with 200. */
let answers: (Response | (() => Promise<Response> | Response))[] = []

function receive(url: string, init: RequestInit | undefined): Response | Promise<Response> {
  const token = new URLSearchParams(String(init?.body)).get('logout_token') ?? ''
  const { jti, sid, iat } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  posted.push({ url, jti, sid, iat })
  const answer = answers.shift() ?? new Response(null)
  return typeof answer === 'function' ? answer() : answer
}

const refused = () => new Response(null, { status: 503 })

let now = 0
const later = (seconds: number) => {
  now += seconds * 1000
  vi.setSystemTime(now)
}
const seconds = () => Math.floor(now / 1000)

beforeEach(() => {
  posted = []
  answers = []
  vi.useFakeTimers({ toFake: ['Date'] })
  // Far enough ahead that no alarm runs but when a test says so.
  now = Math.floor(Date.now() / 1000) * 1000 + 86_400_000
  vi.setSystemTime(now)
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => receive(String(input), init))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  delete callHook.before
})

const documentId = () => `https://shop.example.com/${randomId()}`

const objectOf = (client_id: string) => env.CLIENT.getByName(client_id)
type Stub = ReturnType<typeof objectOf>

const noticeFor = (client_id: string, sid: string): LogoutNotice => ({ id: randomId(), client_id, uri: HERE, sub: 'ann', sid })

/** The queue of a client that is known by its document: nothing else is in its object. */
async function queueOf(...sids: string[]) {
  const client_id = documentId()
  const stub = objectOf(client_id)
  const notices = sids.map((sid) => noticeFor(client_id, sid))
  await stub.queueLogout(notices)
  return { client_id, stub, notices }
}

const alarmOf = (stub: Stub) => runInDurableObject(stub, (_, state) => state.storage.getAlarm())
const queued = (stub: Stub) =>
  runInDurableObject(stub, (_, state) =>
    state.storage.sql
      .exec<{ sid: string; tries: number }>('SELECT sid, tries FROM logout_notice ORDER BY seq')
      .toArray()
      .map(({ sid, tries }) => [sid, tries]),
  )
const tablesOf = (stub: Stub) =>
  runInDurableObject(stub, (_, state) =>
    state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
  )
const sids = () => posted.map(({ sid }) => sid)

describe('the queue of a client', () => {
  test('is brought in the order in which it came, and leaves nothing behind', async () => {
    const { client_id, stub, notices } = await queueOf('a', 'b')
    await stub.queueLogout([noticeFor(client_id, 'c')])
    expect(posted).toEqual([])
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(sids()).toEqual(['a', 'b', 'c'])
    expect(posted.map(({ url }) => url)).toEqual([HERE, HERE, HERE])
    expect(posted.slice(0, 2).map(({ jti }) => jti)).toEqual(notices.map(({ id }) => id))
    expect(await tablesOf(stub)).toEqual([])
    expect(await alarmOf(stub)).toBeNull()
  })

  test('takes a notice once that is handed over twice', async () => {
    const { stub, notices } = await queueOf('a', 'b')
    await stub.queueLogout(notices)
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['a', 'b'])
  })

  test('longer than one round is brought in several, without a wait', async () => {
    const all = Array.from({ length: 120 }, (_, index) => `s${index}`)
    const { stub } = await queueOf(...all)
    await runDurableObjectAlarm(stub)
    expect(posted.length).toBeLessThan(all.length)
    expect(await alarmOf(stub)).toBeLessThanOrEqual(now)
    while (await runDurableObjectAlarm(stub));
    expect(sids()).toEqual(all)
  })

  test('waits as a whole while its first cannot be delivered, longer each time', async () => {
    const { stub } = await queueOf('a', 'b')
    const waits: number[] = []
    for (let tries = 1; tries <= 14; tries++) {
      answers = [refused()]
      await runDurableObjectAlarm(stub)
      expect(await queued(stub)).toEqual([
        ['a', tries],
        ['b', 0],
      ])
      const due = (await alarmOf(stub)) ?? 0
      waits.push(due / 1000 - seconds())
      later(waits.at(-1) ?? 0)
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600, 3600])
    expect(waits).toEqual(waits.map((_, index) => logoutWait(index + 1)))
    expect(new Set(posted.map(({ jti }) => jti)).size).toBe(1)
    await runDurableObjectAlarm(stub)
    expect(sids().slice(-2)).toEqual(['a', 'b'])
    expect(await tablesOf(stub)).toEqual([])
  })

  test('is not tried before its time by an alarm that rang for something else', async () => {
    const { client_id, stub } = await queueOf('a')
    answers = [refused()]
    await runDurableObjectAlarm(stub)
    await stub.queueLogout([noticeFor(client_id, 'b')])
    later(1)
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['a'])
    later(1)
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['a', 'a', 'b'])
  })

  test('drops what is older than a day, and goes on with what is not', async () => {
    const { client_id, stub } = await queueOf('old')
    answers = [refused()]
    await runDurableObjectAlarm(stub)
    later(LOGOUT_RETRY_SECONDS)
    await stub.queueLogout([noticeFor(client_id, 'new')])
    answers = [refused()]
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['old', 'old'])
    later(logoutWait(2))
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['old', 'old', 'new'])
    expect(await tablesOf(stub)).toEqual([])
  })
})

describe('no notice is lost', () => {
  test('when the object is evicted between two tries', async () => {
    const { stub, notices } = await queueOf('a', 'b')
    answers = [refused()]
    await runDurableObjectAlarm(stub)
    await evictDurableObject(stub)
    expect(await alarmOf(stub)).toBe((seconds() + logoutWait(1)) * 1000)
    later(logoutWait(1))
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['a', 'a', 'b'])
    expect(posted.map(({ jti }) => jti)).toEqual([notices[0]?.id, notices[0]?.id, notices[1]?.id])
  })

  test('when the client has it and its answer is lost: it comes again, as the same notice and signed anew', async () => {
    const { stub } = await queueOf('a')
    answers = [() => Promise.reject(new Error('connection reset'))]
    await runDurableObjectAlarm(stub)
    later(logoutWait(1))
    await runDurableObjectAlarm(stub)
    const [first, second] = posted
    expect([second?.jti, second?.sid]).toEqual([first?.jti, 'a'])
    expect(second?.iat).toBe((first?.iat ?? 0) + logoutWait(1))
    expect(await tablesOf(stub)).toEqual([])
  })

  test('when the keys cannot be had', async () => {
    const { stub } = await queueOf('a')
    callHook.before = (label) => {
      if (label === 'KeySet.activeKey') throw new Error('unreachable')
    }
    await runDurableObjectAlarm(stub)
    expect(posted).toEqual([])
    expect(await queued(stub)).toEqual([['a', 1]])
    delete callHook.before
    later(logoutWait(1))
    await runDurableObjectAlarm(stub)
    expect(sids()).toEqual(['a'])
  })

  test.each([
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'http://127.0.0.1:4711/elsewhere' } })],
    ['400, which a client says that refuses the token', () => new Response(null, { status: 400 })],
    ['more than anybody reads', () => new Response('x'.repeat(5_000))],
  ])('when the client answers %s', async (_, answer) => {
    const { stub } = await queueOf('a')
    answers = [answer()]
    await runDurableObjectAlarm(stub)
    expect(await queued(stub)).toEqual([['a', 1]])
    expect(posted.map(({ url }) => url)).toEqual([HERE])
  })

  test('when the account cannot reach the client: who signs out is answered, and the account goes on', async () => {
    const { account, started } = await newAccount({ use: 'cookie' })
    const client_id = documentId()
    const { secret } = started
    const { sid } = started.session
    const authorized = await account.authorize({
      ...{ proof: { kind: 'cookie', sid, secret }, client_id, redirect_uri: CALLBACK, scope: 'openid', aud: 'http://localhost:8787' },
      ...{ code_challenge: null, nonce: null, jkt: null, logout_uri: HERE, sub: null, anew: false, before: null, max_age: null },
      ...{ started_at: seconds(), consent: 'given', expires_in: 60 },
    })
    if (!authorized.ok) throw new Error(authorized.error)
    const shown = {
      id: authorized.code,
      client_id,
      redirect_uri: CALLBACK,
      code_verifier: null,
      confidential: true,
      jkt: null,
      resource: null,
      allowed: { scopes: ['openid'], audiences: ['http://localhost:8787'] },
    }
    expect(await account.redeemCode({ ...shown, secret_id: '00000001', network: 'home', attempt: randomId() })).toMatchObject({ ok: true })
    callHook.before = (label) => {
      if (label === 'Client.queueLogout') throw new Error('unreachable')
    }
    expect(await account.signOut({ by: 'cookie', sid, secret })).toMatchObject({ ok: true, denied: true })
    expect(await runDurableObjectAlarm(objectOf(client_id))).toBe(false)
    delete callHook.before
    later(10)
    await runDurableObjectAlarm(account)
    await runDurableObjectAlarm(objectOf(client_id))
    expect(sids()).toEqual([sid])
  })
})

describe('a registered client', () => {
  const RULES = {
    source: 'registration',
    development: true,
    issuer: 'http://localhost:8787',
    signingAlg: 'ES256',
    mayBeLegacy: false,
  } as const

  async function registered(backchannel_logout_uri: string | null) {
    const client_id = randomId()
    const stub = objectOf(client_id)
    const read = readClientMetadata(
      client_id,
      { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', backchannel_logout_uri },
      RULES,
    )
    if (!read.ok) throw new Error(read.description)
    expect(await stub.register({ client: read.client, registration_hash: 'hash', secret_hash: null })).toMatchObject({ ok: true })
    await stub.queueLogout([noticeFor(client_id, 'a')])
    return stub
  }

  test('is told where it listens now, not where it listened when it was authorized', async () => {
    const moved = 'http://127.0.0.1:4711/moved'
    await runDurableObjectAlarm(await registered(moved))
    expect(posted.map(({ url }) => url)).toEqual([moved])
  })

  test('that no longer wants to be told is left alone, and keeps its registration', async () => {
    const stub = await registered(null)
    await runDurableObjectAlarm(stub)
    expect(posted).toEqual([])
    expect(await queued(stub)).toEqual([])
    expect(await stub.find()).not.toBeNull()
  })
})

test('a configuration that cannot be read loses no notice, and is not tried at every moment', async () => {
  const { stub } = await queueOf('a')
  const broken = { ...env, CLIENTS_TOML: '[[client' }
  await runInDurableObject(stub, (_, state) => deliverLogouts(broken, logoutStore(state.storage.sql), null))
  expect(posted).toEqual([])
  expect(await queued(stub)).toEqual([['a', 1]])
  later(logoutWait(1))
  await runDurableObjectAlarm(stub)
  expect(posted).toMatchObject([{ sid: 'a' }])
})

describe('a client that is nobody’s any more', () => {
  test.each([
    ['was removed', randomId()],
    ['was taken out of the configuration', 'shop'],
  ])('as it %s is told of nobody, and leaves nothing behind', async (_, client_id) => {
    const stub = objectOf(client_id)
    await stub.queueLogout([noticeFor(client_id, 'a'), noticeFor(client_id, 'b')])
    await runDurableObjectAlarm(stub)
    expect(posted).toEqual([])
    expect(await runInDurableObject(stub, (_, state) => state.storage.sql.databaseSize)).toBeLessThan(20_000)
    expect(await alarmOf(stub)).toBeNull()
  })
})
