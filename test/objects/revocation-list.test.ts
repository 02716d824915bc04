import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Denial } from '../../src/protocol/denial.ts'
import { decodeFeed, formatCursor, parseCursor } from '../../src/protocol/feed.ts'

const list = (name = crypto.randomUUID()) => env.REVOCATION_LIST.getByName(name)
async function read(stub: ReturnType<typeof list>, after: string | null) {
  const feed = decodeFeed(new Uint8Array(await stub.feed(after)))
  if (!feed.ok) throw new Error('malformed')
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
  for (const id of ['a', 'b', 'c']) await stub.add(Array.from({ length: 300 }, (_, n) => denial(`${id}-${n}`)))
  const before = await read(stub, null)
  vi.setSystemTime((now + 311) * 1000)
  expect(await read(stub, null)).toMatchObject({ count: 0, sequence: before.sequence })
  await runDurableObjectAlarm(stub)
  await evictDurableObject(stub)
  expect(await read(stub, before.cursor)).toMatchObject({ snapshot: false, sequence: before.sequence })
  const rows = await runInDurableObject(stub, (_, state) => state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM base').one().n)
  expect(rows).toBe(1)
})

test('one call writes one row, however many denials it brings', async () => {
  const stub = list()
  await stub.add(Array.from({ length: 1000 }, (_, n) => denial(`id-${n}`)))
  const rows = await runInDurableObject(stub, (_, state) => state.storage.sql.exec<{ n: number }>('SELECT count(*) AS n FROM base').one().n)
  expect(rows).toBe(1)
  expect((await stub.feed(null)).byteLength).toBeLessThan(10_000)
})

async function subscribe(stub: ReturnType<typeof list>, after?: string) {
  const response = await stub.fetch(`http://list/revocations${after === undefined ? '' : `?after=${after}`}`, {
    headers: { upgrade: 'websocket' },
  })
  const socket = response.webSocket
  if (!socket) return { status: response.status, socket: null, messages: [] }
  const messages: ArrayBuffer[] = []
  socket.accept()
  socket.binaryType = 'arraybuffer'
  socket.addEventListener('message', ({ data }) => {
    if (data instanceof ArrayBuffer) messages.push(data)
  })
  return { status: response.status, socket, messages }
}

const decoded = (message: ArrayBuffer | undefined) => {
  const feed = decodeFeed(new Uint8Array(message ?? new ArrayBuffer()))
  if (!feed.ok) throw new Error('malformed')
  return { ...feed.header, count: feed.count }
}

test('a socket gets the feed at once, each step as it happens, and an answer to every cursor', async () => {
  const stub = list()
  const cursor = await stub.add([denial('a')])
  const { socket, messages } = await subscribe(stub, cursor)
  await vi.waitFor(() => expect(messages).toHaveLength(1))
  expect(decoded(messages[0])).toMatchObject({ snapshot: false, count: 0 })
  await stub.add([denial('b'), denial('c')])
  await vi.waitFor(() => expect(messages).toHaveLength(2))
  expect(decoded(messages[1])).toMatchObject({ snapshot: false, count: 2, sequence: decoded(messages[0]).sequence + 1 })
  socket?.send(cursor)
  socket?.send('')
  await vi.waitFor(() => expect(messages).toHaveLength(4))
  expect(decoded(messages[2])).toMatchObject({ snapshot: false, count: 2 })
  expect(decoded(messages[3])).toMatchObject({ snapshot: true, count: 3 })
  socket?.close()
})

test('a socket outlives the eviction of the object', async () => {
  const stub = list()
  const { socket, messages } = await subscribe(stub)
  await vi.waitFor(() => expect(messages).toHaveLength(1))
  await evictDurableObject(stub)
  await stub.add([denial('a')])
  await vi.waitFor(() => expect(messages).toHaveLength(2))
  expect(decoded(messages[1])).toMatchObject({ count: 1 })
  socket?.close()
})

test('a socket that sends anything but cursors, or asks for everything again and again, is closed', async () => {
  for (const text of ['hello', '0123456789abcdef.-1', 'x'.repeat(10_000)]) {
    const { socket } = await subscribe(list())
    const closed = new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)))
    socket?.send(text)
    expect(await closed).toBe(1008)
  }
  const { socket } = await subscribe(list())
  const closed = new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)))
  for (let n = 0; n < 9; n++) socket?.send('')
  expect(await closed).toBe(1008)
})

test('a socket that asks for nearly everything by a very old cursor, again and again, is closed too; one that is up to date is not', async () => {
  const stub = list()
  const old = formatCursor({ ...decoded(await stub.feed(null)), sequence: 0 })
  const cursor = await stub.add(Array.from({ length: 50_000 }, (_, n) => denial(`d-${n}`)))
  const { socket, messages } = await subscribe(stub, cursor)
  const closed = new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)))
  for (let n = 0; n < 100; n++) socket?.send(cursor)
  await vi.waitFor(() => expect(messages).toHaveLength(101))
  for (let n = 0; n < 40; n++) socket?.send(old)
  expect(await closed).toBe(1008)
})

test('a socket gets no answer of megabytes: it is told to come back, and does so with the cursor of a poll', async () => {
  const stub = list()
  for (const batch of ['a', 'b', 'c']) await stub.add(Array.from({ length: 50_000 }, (_, n) => denial(`${batch}-${n}`)))
  const { socket, messages } = await subscribe(stub)
  const closed = new Promise<number>((resolve) => socket?.addEventListener('close', ({ code }) => resolve(code)))
  expect(await closed).toBe(1013)
  expect(messages).toEqual([])
  const polled = await read(stub, null)
  expect(polled.count).toBe(150_000)
  const again = await subscribe(stub, polled.cursor)
  await vi.waitFor(() => expect(again.messages).toHaveLength(1))
  expect(decoded(again.messages[0])).toMatchObject({ snapshot: false, count: 0 })
  await stub.add([denial('d')])
  await vi.waitFor(() => expect(again.messages).toHaveLength(2))
  again.socket?.close()
})

test('256 sockets are held, the next one is told to poll', async () => {
  const stub = list()
  const all = []
  for (let n = 0; n < 256; n++) all.push(await subscribe(stub))
  expect((await subscribe(stub)).status).toBe(503)
  for (const { socket } of all) socket?.close()
})
