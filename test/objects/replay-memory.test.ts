import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createRandom } from '../proof/random.ts'

const memory = (name = `dpop:${crypto.randomUUID()}`) => env.REPLAY_MEMORY.getByName(name)
type Memory = ReturnType<typeof memory>
const digestOf = (jti: string) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(jti))
const consume = async (stub: Memory, jti: string, expires_at: number) => stub.consume(await digestOf(jti), expires_at)

let now = 0
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Math.floor(Date.now() / 1000)
})
afterEach(() => {
  vi.useRealTimers()
})
const after = (seconds: number) => vi.setSystemTime((now + seconds) * 1000)
const rowsOf = (stub: Memory) =>
  runInDurableObject(stub, (_, { storage }) => storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM proof').one().n)
const tablesOf = (stub: Memory) =>
  runInDurableObject(
    stub,
    (_, { storage }) => storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('proof', 'migration')").toArray().length,
  )

test('of 50 at once exactly one is the first', async () => {
  const stub = memory()
  const answers = await Promise.all(Array.from({ length: 50 }, () => consume(stub, 'a', now + 80)))
  expect(answers.filter(Boolean)).toHaveLength(1)
})

test('of 40 proofs, each sent 20 times by stubs of their own, each passes once', async () => {
  const name = `assertion:${crypto.randomUUID()}`
  const sent = Array.from({ length: 800 }, (_, at) => `jti-${at % 40}`)
  const answers = await Promise.all(sent.map((jti) => consume(memory(name), jti, now + 80)))
  const passed = sent.filter((_, at) => answers[at])
  expect([...new Set(passed)]).toHaveLength(40)
  expect(passed).toHaveLength(40)
})

test('makers do not share a memory', async () => {
  expect(await consume(memory(), 'a', now + 80)).toBe(true)
  expect(await consume(memory(), 'a', now + 80)).toBe(true)
})

test('what has passed is remembered over an eviction, and over a late alarm', async () => {
  const stub = memory()
  expect(await consume(stub, 'a', now + 80)).toBe(true)
  await evictDurableObject(stub)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
  after(79)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
  await runDurableObjectAlarm(stub)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
})

test('an expired proof is refused, remembered or forgotten', async () => {
  const stub = memory()
  expect(await consume(stub, 'a', now + 80)).toBe(true)
  after(80)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
  expect(await consume(stub, 'b', now + 80)).toBe(false)
  after(3600)
  await runDurableObjectAlarm(stub)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
})

test('a clock that is set back by up to a minute lets nothing pass twice', async () => {
  const stub = memory()
  expect(await consume(stub, 'a', now + 80)).toBe(true)
  after(130)
  await runDurableObjectAlarm(stub)
  after(70)
  expect(await consume(stub, 'a', now + 80)).toBe(false)
})

test('it holds what is still good, and deletes itself when that is nothing', async () => {
  const stub = memory()
  await consume(stub, 'a', now + 80)
  after(100)
  await consume(stub, 'b', now + 180)
  expect(await rowsOf(stub)).toBe(2)
  after(142)
  expect(await runDurableObjectAlarm(stub)).toBe(true)
  expect(await rowsOf(stub)).toBe(1)
  after(242)
  expect(await runDurableObjectAlarm(stub)).toBe(true)
  expect(await tablesOf(stub)).toBe(0)
  expect(await runInDurableObject(stub, (_, { storage }) => storage.getAlarm())).toBe(null)
  expect(await runDurableObjectAlarm(stub)).toBe(false)
})

test('it begins again after it has deleted itself, in the same instance and in a new one', async () => {
  const stub = memory()
  for (const isEvicted of [false, true]) {
    now = Math.floor(Date.now() / 1000)
    expect(await consume(stub, 'a', now + 80)).toBe(true)
    after(200)
    await runDurableObjectAlarm(stub)
    expect(await tablesOf(stub)).toBe(0)
    if (isEvicted) await evictDurableObject(stub)
  }
  expect(await consume(stub, 'a', now + 300)).toBe(true)
  expect(await consume(stub, 'a', now + 300)).toBe(false)
})

test('a maker whose object is evicted again and again does not put its sweep off', async () => {
  const stub = memory()
  for (let round = 0; round < 20; round++) {
    after(round * 60)
    expect(await consume(stub, `jti-${round}`, now + round * 60 + 80)).toBe(true)
    await evictDurableObject(stub)
  }
  expect(await rowsOf(stub)).toBeLessThanOrEqual(4)
})

test('a seeded run of proofs, evictions, alarms and time: no proof passes twice', async () => {
  const random = createRandom(99)
  const stub = memory()
  const passed = new Set<string>()
  let elapsed = 0
  for (let step = 0; step < 400; step++) {
    const made = elapsed - random.int(0, 90)
    const jti = `${made}`
    const isFirst = await consume(stub, jti, now + made + 81)
    expect(isFirst).toBe(!passed.has(jti) && made + 81 > elapsed)
    if (isFirst) passed.add(jti)
    if (random.oneIn(10)) await evictDurableObject(stub)
    if (random.oneIn(10)) await runDurableObjectAlarm(stub)
    elapsed += random.oneIn(3) ? random.int(0, 60) : 0
    after(elapsed)
  }
})
