import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEVICE_SECONDS, newUserCode, POLL_SECONDS, readUserCode, showUserCode } from '../../src/oauth/device-request.ts'
import { hashSecret } from '../../src/sessions/prove.ts'
import { newAccount, signInAgain } from '../support/account.ts'

const CLIENT = 'a-television'
const ANN = { sub: 'ann', sid: 'laptop' }
const EVE = { sub: 'eve', sid: 'phone' }

let now = 0
const later = (seconds: number) => {
  now += seconds
  vi.setSystemTime(now * 1000)
}
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Math.floor(Date.now() / 1000)
  vi.setSystemTime(now * 1000)
})
afterEach(() => {
  vi.useRealTimers()
})

const stubOf = (userCode: string) => env.AUTHORIZATION_REQUEST.getByName(`device:${userCode}`)
const stateOf = async (polled: Promise<{ state: string }>) => (await polled).state

async function begun() {
  const name = newUserCode()
  const stub = stubOf(name)
  const secret = crypto.getRandomValues(new Uint8Array(16))
  const request = {
    client_id: CLIENT,
    secret_hash: hashSecret(secret),
    scope: 'openid',
    aud: 'https://api.example',
    expires_at: now + DEVICE_SECONDS,
  }
  expect(await stub.beginDevice(request)).toBe(true)
  return { name, stub, request, by: { secret, client_id: CLIENT } }
}

describe('a user code', () => {
  test('has eight letters that make no words and are not mixed up, of all twenty alike', () => {
    const counts = new Map<string, number>()
    for (const code of Array.from({ length: 2000 }, newUserCode)) {
      expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{8}$/)
      for (const letter of code) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    }
    // 800 of each are expected; 200 away is seven standard deviations.
    expect(counts.size).toBe(20)
    for (const count of counts.values()) expect(Math.abs(count - 800)).toBeLessThan(200)
  })

  test.each([
    ['as it is shown', 'BCDF-GHJK'],
    ['in small letters without the dash', 'bcdfghjk'],
    ['with spaces and another dash', ' bcdf – ghjk '],
  ])('is read %s', (_, typed) => {
    expect(readUserCode(typed)).toBe('BCDFGHJK')
    expect(showUserCode('BCDFGHJK')).toBe('BCDF-GHJK')
  })

  test.each(['', 'BCDFGHJ', 'BCDFGHJKL', 'ACDFGHJK', 'BCDFGHJ1', 'BCDFGHJİ', 'ＢCDFGHJK', 'BCDFGHJK'.repeat(20), "BCDF'GHJK"])(
    '%j is none',
    (typed) => {
      expect(readUserCode(typed)).toBe(null)
    },
  )
})

describe('a device that waits', () => {
  test('is told to wait, to slow down when it does not, and what the person decided', async () => {
    const { stub, by } = await begun()
    expect(await stateOf(stub.pollDevice(by))).toBe('pending')
    expect(await stateOf(stub.pollDevice(by))).toBe('slow_down')
    later(POLL_SECONDS)
    expect(await stateOf(stub.pollDevice(by))).toBe('pending')
    await stub.viewDevice(ANN)
    expect(await stub.decideDevice(ANN, 'the-code')).toBe(true)
    expect(await stub.pollDevice(by)).toEqual({ state: 'approved', sub: 'ann', code: 'the-code' })
  })

  test('is told of a denial, and it cannot be turned round', async () => {
    const { stub, by } = await begun()
    await stub.viewDevice(ANN)
    expect(await stub.decideDevice(ANN, null)).toBe(true)
    expect(await stub.decideDevice(ANN, 'the-code')).toBe(false)
    expect(await stateOf(stub.pollDevice(by))).toBe('denied')
    expect(await stub.viewDevice(ANN)).toEqual({ ok: false, error: 'decided' })
  })

  test.each([
    ['another client', { client_id: 'another' }],
    ['another secret', { secret: new Uint8Array(16) }],
    ['a secret that is cut off', { secret: new Uint8Array(0) }],
  ])('tells %s nothing, whatever was decided', async (_, change) => {
    const { stub, by } = await begun()
    expect(await stub.pollDevice({ ...by, ...change })).toEqual({ state: 'unknown' })
    await stub.viewDevice(ANN)
    await stub.decideDevice(ANN, 'the-code')
    expect(await stub.pollDevice({ ...by, ...change })).toEqual({ state: 'unknown' })
  })

  test('waits for ten minutes: then nobody can look, decide or poll', async () => {
    const { stub, by } = await begun()
    await stub.viewDevice(ANN)
    later(DEVICE_SECONDS - 1)
    expect(await stateOf(stub.pollDevice(by))).toBe('pending')
    later(1)
    expect(await stub.viewDevice(ANN)).toEqual({ ok: false, error: 'unknown' })
    expect(await stub.decideDevice(ANN, 'the-code')).toBe(false)
    expect(await stateOf(stub.pollDevice(by))).toBe('expired')
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect(await stateOf(stub.pollDevice(by))).toBe('expired')
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'device_request'").toArray(),
    )
    expect(tables).toEqual([])
  })

  test('keeps its code from another device until it is over; its own repeat is no other', async () => {
    const { stub, request } = await begun()
    const other = { ...request, secret_hash: hashSecret(new Uint8Array(16)) }
    expect(await stub.beginDevice(other)).toBe(false)
    expect(await stub.beginDevice(request)).toBe(true)
    later(DEVICE_SECONDS)
    expect(await stub.beginDevice({ ...other, expires_at: now + DEVICE_SECONDS })).toBe(true)
  })
})

describe('the person', () => {
  test('who looks first is the only one to decide, also of 50 at once', async () => {
    const { name, stub, by } = await begun()
    const people = Array.from({ length: 50 }, (_, at) => ({ sub: `person-${at}`, sid: 'x' }))
    const views = await Promise.all(people.map((viewer) => stubOf(name).viewDevice(viewer)))
    expect(views.filter(({ ok }) => ok)).toHaveLength(1)
    expect(views.filter((view) => !view.ok && view.error === 'other_viewer')).toHaveLength(49)
    const first = views.findIndex(({ ok }) => ok)
    const decisions = await Promise.all(people.map((viewer) => stubOf(name).decideDevice(viewer, `code of ${viewer.sub}`)))
    expect(decisions.flatMap((decided, at) => (decided ? [at] : []))).toEqual([first])
    expect(await stub.pollDevice(by)).toEqual({ state: 'approved', sub: `person-${first}`, code: `code of person-${first}` })
  })

  test('decides by the session that looked, and not without having looked', async () => {
    const { stub, by } = await begun()
    expect(await stub.decideDevice(ANN, 'the-code')).toBe(false)
    await stub.viewDevice(ANN)
    expect(await stub.decideDevice({ ...ANN, sid: 'another' }, 'the-code')).toBe(false)
    expect(await stub.decideDevice(EVE, 'the-code')).toBe(false)
    expect(await stateOf(stub.pollDevice(by))).toBe('pending')
  })

  test('is still the one when the object has been evicted', async () => {
    const { name, stub } = await begun()
    await stub.viewDevice(ANN)
    await evictDurableObject(stub)
    expect(await stubOf(name).viewDevice(EVE)).toEqual({ ok: false, error: 'other_viewer' })
    expect(await stubOf(name).viewDevice(ANN)).toMatchObject({ ok: true, client_id: CLIENT })
  })
})

test('ten user codes may be wrong in a row in one session; then it waits a second, and a right one forgives itself only', async () => {
  const { sub, account, started } = await newAccount({ use: 'cookie' })
  const other = await signInAgain(sub, { use: 'cookie' })
  const proofOf = ({ session, secret }: typeof started) => ({ kind: 'cookie' as const, sid: session.sid, secret })
  const count = async () => (await account.countUserCode(proofOf(started))).ok
  const counted = await Promise.all(Array.from({ length: 30 }, count))
  expect(counted.filter(Boolean)).toHaveLength(10)
  expect(await account.countUserCode(proofOf(started))).toEqual({ ok: false, error: 'too_many_attempts', retryAfter: 1 })
  expect(await account.countUserCode(proofOf(other))).toMatchObject({ ok: true })
  later(1)
  expect([await count(), await count()]).toEqual([true, false])
  later(2)
  await account.foundUserCode(proofOf(started))
  expect([await count(), await count()]).toEqual([true, false])
  expect(await account.countUserCode({ ...proofOf(started), secret: new Uint8Array(16) })).toEqual({ ok: false, error: 'no_session' })
})

test('a device that asks while its request is being forgotten is answered', async () => {
  const { stub, by } = await begun()
  const polled = await runInDurableObject(stub, async (request) => {
    const forgetting = request.alarm()
    const answer = request.pollDevice(by)
    await forgetting
    return answer
  })
  expect(polled).toEqual({ state: 'expired' })
})
