import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Denial } from '../../src/protocol/denial.ts'
import { decodeFeed, formatCursor, parseCursor } from '../../src/protocol/feed.ts'

const list = (name = crypto.randomUUID()) => env.REVOCATION_LIST.getByName(name)
async function read(stub: ReturnType<typeof list>, after: string | null) {
  const feed = decodeFeed(new Uint8Array(await stub.feed(after)))
  if (!feed.ok) throw new Error(feed.reason)
  return { ...feed.header, count: feed.count, cursor: formatCursor(feed.header) }
}

let now = 0
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Math.floor(Date.now() / 1000)
})
afterEach(() => {
  vi.useRealTimers()
})
const denial = (id: string, end = now + 310): Denial => ({ kind: 'sid', id, end })

test('a reader without a cursor gets a snapshot, then only what is new', async () => {
  const stub = list()
  await stub.add([denial('a'), denial('b')])
  const first = await read(stub, null)
  expect(first).toMatchObject({ snapshot: true, count: 2 })
  const cursor = await stub.add([denial('c')])
  expect(await read(stub, first.cursor)).toMatchObject({ snapshot: false, count: 1, cursor })
  expect(await read(stub, cursor)).toMatchObject({ snapshot: false, count: 0, cursor })
})

test('a cursor of another log, or from the future, gets a snapshot', async () => {
  const stub = list()
  const cursor = parseCursor(await stub.add([denial('a')]))
  if (!cursor) throw new Error('no cursor')
  expect(await read(stub, formatCursor({ ...cursor, epoch: '0123456789abcdef' }))).toMatchObject({ snapshot: true, count: 1 })
  expect(await read(stub, formatCursor({ ...cursor, sequence: cursor.sequence + 5 }))).toMatchObject({ snapshot: true, count: 1 })
  expect(await read(stub, 'nonsense')).toMatchObject({ snapshot: true, count: 1 })
})

test('what it has acknowledged survives eviction: epoch, key, sequence and denials', async () => {
  const stub = list()
  await stub.add([denial('a'), denial('b')])
  const before = await read(stub, null)
  await evictDurableObject(stub)
  expect(await read(stub, null)).toMatchObject({ epoch: before.epoch, key: before.key, sequence: before.sequence, count: 2 })
})

test('forgets what concerns no living token, and never goes back in its sequence', async () => {
  const stub = list()
  for (const id of ['a', 'b', 'c']) await stub.add([denial(id)])
  const before = await read(stub, null)
  vi.setSystemTime((now + 311) * 1000)
  expect(await read(stub, null)).toMatchObject({ count: 0, sequence: before.sequence })
  await runDurableObjectAlarm(stub)
  await evictDurableObject(stub)
  expect(await read(stub, before.cursor)).toMatchObject({ snapshot: false, sequence: before.sequence })
  const rows = await runInDurableObject(
    stub,
    (_, state) => state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM batch').one().n,
  )
  expect(rows).toBe(1)
})

test('one call writes one row, however many denials it brings', async () => {
  const stub = list()
  await stub.add(Array.from({ length: 1000 }, (_, n) => denial(`id-${n}`)))
  const rows = await runInDurableObject(
    stub,
    (_, state) => state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM batch').one().n,
  )
  expect(rows).toBe(1)
  expect((await stub.feed(null)).byteLength).toBeLessThan(10_000)
})
