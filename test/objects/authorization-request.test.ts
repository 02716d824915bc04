import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { INTERACTION_SECONDS } from '../../src/oauth/interaction.ts'
import { migrate } from '../../src/storage/migrate.ts'
import init from '../../src/storage/schema/authorization-request/0001-init.sql'
import { randomId } from '../../src/tokens/random-id.ts'

const MODULE = 'fapi2-security-profile-final-'
const CLIENT = 'a-client'
const PARAMETERS = { response_type: 'code', scope: 'openid' }

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

const stubOf = (name: string) => env.AUTHORIZATION_REQUEST.getByName(name)
type Stub = ReturnType<typeof stubOf>
const tablesOf = (stub: Stub) =>
  runInDurableObject(
    stub,
    (_, { storage }) => storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray().length,
  )
const alarmOf = (stub: Stub) => runInDurableObject(stub, (_, { storage }) => storage.getAlarm())

async function pushed() {
  const name = randomId()
  const stub = stubOf(name)
  await stub.push({ client_id: CLIENT, parameters: PARAMETERS, expires_at: now + 60 })
  return { name, stub }
}

describe('a pushed request', () => {
  test('is read by its client as often as it visits, and by no other', async () => {
    const { stub } = await pushed()
    expect(await stub.read(CLIENT)).toEqual(PARAMETERS)
    expect(await stub.read('another')).toBe(null)
    expect(await stub.read(CLIENT)).toEqual(PARAMETERS)
  })

  test('is one visit’s of 50 that take it at once, through stubs of their own, and stays that one’s', async () => {
    const { name, stub } = await pushed()
    await stub.read(CLIENT)
    const visits = Array.from({ length: 50 }, randomId)
    const answers = await Promise.all(visits.map((visit) => stubOf(name).take(visit)))
    expect(answers.filter(Boolean)).toHaveLength(1)
    expect(await stub.read(CLIENT)).toBe(null)
    expect(await Promise.all(visits.map((visit) => stub.take(visit)))).toEqual(answers)
  })

  test('stays used up when its object has been evicted', async () => {
    const { name, stub } = await pushed()
    expect(await stub.take('one')).toBe(true)
    await evictDurableObject(stub)
    expect([await stubOf(name).read(CLIENT), await stubOf(name).take('two'), await stubOf(name).take('one')]).toEqual([null, false, true])
  })

  test(`${MODULE}par-attempt-to-use-expired-request_uri`, async () => {
    const { stub } = await pushed()
    later(59)
    expect(await stub.read(CLIENT)).toEqual(PARAMETERS)
    later(1)
    expect(await stub.read(CLIENT)).toBe(null)
  })

  test('that was read in time may be answered while its pages are open, and is gone after that', async () => {
    const { stub } = await pushed()
    expect(await alarmOf(stub)).toBe((now + 60) * 1000)
    later(59)
    await stub.read(CLIENT)
    expect(await alarmOf(stub)).toBe((now + INTERACTION_SECONDS + 1) * 1000)
    later(INTERACTION_SECONDS)
    expect(await stub.take('a-visit')).toBe(true)
    await runDurableObjectAlarm(stub)
    expect(await tablesOf(stub)).toBe(0)
  })

  test('that lies in a database of the first version is read and taken like any', async () => {
    const stub = stubOf(randomId())
    await runInDurableObject(stub, (_, { storage }) => {
      migrate(storage, [{ id: '0001-init', sql: init }])
      const row = [CLIENT, JSON.stringify(PARAMETERS), now + 60]
      storage.sql.exec('INSERT INTO pushed_request (client_id, parameters, expires_at) VALUES (?, ?, ?)', ...row)
    })
    expect(await stub.read(CLIENT)).toEqual(PARAMETERS)
    expect([await stub.take('one'), await stub.take('two'), await stub.read(CLIENT)]).toEqual([true, false, null])
  })

  test('that nobody reads is gone by its alarm, with its tables', async () => {
    const { stub } = await pushed()
    expect(await tablesOf(stub)).toBeGreaterThan(0)
    later(60)
    expect(await runDurableObjectAlarm(stub)).toBe(true)
    expect([await tablesOf(stub), await stub.take('a-visit')]).toEqual([0, false])
  })
})

test('a look at an id that was never given out stores nothing', async () => {
  const stub = stubOf(randomId())
  expect(await stub.read(CLIENT)).toBe(null)
  expect(await stub.take('a-visit')).toBe(false)
  expect(await stub.viewDevice({ sub: 's', sid: 'x' })).toEqual({ ok: false, error: 'unknown' })
  expect(await stub.decideDevice({ sub: 's', sid: 'x' }, 'code')).toBe(false)
  expect(await stub.pollDevice({ secret: new Uint8Array(16), client_id: CLIENT })).toEqual({ state: 'expired' })
  expect([await tablesOf(stub), await alarmOf(stub)]).toEqual([0, null])
})
