import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RevocationList } from '../../src/objects/revocation-list.ts'
import type { Denial } from '../../src/protocol/denial.ts'
import { decodeFeed, entriesOf, forEachDenial, formatCursor } from '../../src/protocol/feed.ts'
import { TAIL_STEPS } from '../../src/revocation/list-store.ts'
import { createRandom, type Random } from '../proof/random.ts'
import { SEED, sized } from '../proof/size.ts'

type Stub = DurableObjectStub<RevocationList>
const newList = (): Stub => env.REVOCATION_LIST.getByName(crypto.randomUUID())

let now = 0
const pass = (seconds: number) => {
  now += seconds
  vi.setSystemTime(now * 1000)
}
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Math.floor(Date.now() / 1000)
  pass(0)
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const session = (id: string, end = now + 310): Denial => ({ kind: 'sid', id, end })

/** One call for each, as they come from the accounts. */
const addSingly = (stub: Stub, denials: readonly Denial[]) =>
  runInDurableObject(stub, (list: RevocationList) => denials.reduce((_, denial) => list.add([denial]), ''))

const sessions = (count: number, name = 's') => Array.from({ length: count }, (_, at) => session(`${name}-${at}`))

function decoded(bytes: ArrayBuffer) {
  const feed = decodeFeed(new Uint8Array(bytes))
  if (!feed.ok) throw new Error('malformed')
  return { ...feed.header, count: feed.count, segments: feed.segments, cursor: formatCursor(feed.header) }
}
const read = async (stub: Stub, after: string | null) => decoded(await stub.feed(after))

const rowsOf = (stub: Stub, table: 'base' | 'tail') =>
  runInDurableObject(stub, (_, state) => state.storage.sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n)

/** What a reader knows: each entry it was ever told of, by kind and prefix. */
class Reader {
  cursor: string | null = null
  entries = new Map<string, { bound: number; end: number }[]>()

  take({ snapshot, segments, cursor }: ReturnType<typeof decoded>): void {
    if (snapshot) this.entries.clear()
    forEachDenial(segments, (kindCode, hi, lo, bound, end) => {
      const name = `${kindCode}.${hi}.${lo}`
      const held = this.entries.get(name)
      if (held) held.push({ bound, end })
      else this.entries.set(name, [{ bound, end }])
    })
    this.cursor = cursor
  }

  bound(name: string): number {
    const living = (this.entries.get(name) ?? []).filter(({ end }) => end >= now)
    return Math.max(-1, ...living.map(({ bound }) => bound))
  }
}

/** The plain model: everything ever added. What is refused lies between the highest living bound, and the merger of all that is living. */
class Model {
  readonly #key: Uint8Array
  readonly #added = new Map<string, { least: { bound: number; end: number }[]; most: { bound: number; end: number } }>()

  constructor(key: Uint8Array) {
    this.#key = key
  }

  add(denials: readonly Denial[]): void {
    for (const { kindCode, hi, lo, bound, end } of entriesOf(this.#key, denials)) {
      const name = `${kindCode}.${hi}.${lo}`
      const held = this.#added.get(name)
      if (!held) this.#added.set(name, { least: [{ bound, end }], most: { bound, end } })
      else {
        held.least.push({ bound, end })
        held.most = { bound: Math.max(held.most.bound, bound), end: Math.max(held.most.end, end) }
      }
    }
  }

  /** Every difference, in words. */
  compare(reader: Reader): string[] {
    const wrong = [...reader.entries.keys()].filter((name) => !this.#added.has(name)).map((name) => `${name} was never denied`)
    for (const [name, { least, most }] of this.#added) {
      const is = reader.bound(name)
      const lowest = Math.max(-1, ...least.filter(({ end }) => end >= now).map(({ bound }) => bound))
      const highest = most.end >= now ? most.bound : -1
      if (is < lowest || is > highest) wrong.push(`${name}: ${is}, not ${lowest} to ${highest}`)
    }
    return wrong
  }
}

function randomDenial(random: Random): Denial {
  const end = now + random.pick([30, 310, 310, 310, 3600])
  const id = `id-${random.int(0, 30_000)}`
  const kind = random.pick(['sid', 'sid', 'sid', 'jti', 'kid', 'sub', 'client_id'] as const)
  if (kind === 'sub') return { kind, id, ver: random.int(0, 300), end }
  if (kind === 'client_id') return { kind, id, not_after_iat: random.int(0, 2 ** 32 - 1), end }
  return { kind, id, end }
}

/** One thing that happens to a list, by chance. */
async function happen(stub: Stub, model: Model, readers: Reader[], random: Random): Promise<void> {
  const many = (most: number) => Array.from({ length: random.int(1, most) }, () => randomDenial(random))
  const kind = random.int(0, 9)
  if (kind <= 3) {
    const denials = many(1500)
    await addSingly(stub, denials)
    model.add(denials)
  } else if (kind === 4) {
    const batches = Array.from({ length: random.int(1, 60) }, () => many(random.pick([3, 200, 400])))
    await runInDurableObject(stub, (list: RevocationList) => {
      for (const batch of batches) list.add(batch)
    })
    model.add(batches.flat())
  } else if (kind === 5) pass(random.pick([1, 20, 100, 400]))
  else if (kind === 6) await runDurableObjectAlarm(stub)
  else if (kind === 7) {
    // Only one that runs can be evicted.
    await read(stub, readers[0]?.cursor ?? null)
    await evictDurableObject(stub)
  } else {
    const reader = random.pick(readers)
    // Sometimes it is a new one, who knows nothing.
    if (random.oneIn(4)) reader.cursor = null
    reader.take(await read(stub, reader.cursor))
  }
}

const TIMEOUT = { timeout: sized(30_000, 240_000) }

describe('a list that packs', TIMEOUT, () => {
  // Two seeds of their own, and one that differs each time: SEED repeats it.
  test.each([1, 2, SEED])(
    'tells every reader the same as a plain model, by steps or by snapshot, from any cursor (seed %i)',
    async (seed) => {
      const random = createRandom(seed)
      const stub = newList()
      const model = new Model((await read(stub, null)).key)
      const readers = Array.from({ length: 5 }, () => new Reader())
      for (let turn = 0; turn < sized(150, 450); turn++) {
        await happen(stub, model, readers, random)
        if (turn % 30 !== 29) continue
        for (const reader of [...readers, new Reader()]) {
          reader.take(await read(stub, reader.cursor))
          expect(model.compare(reader)).toEqual([])
        }
      }
      expect(await rowsOf(stub, 'base')).toBeGreaterThan(0)
    },
  )

  test('single denials: 10 bytes each in a snapshot, and a few more rows written than denials', async () => {
    const count = sized(20_000, 1_000_000)
    const stub = newList()
    const written = await runInDurableObject(stub, (list: RevocationList, state) => {
      const exec = vi.spyOn(Object.getPrototypeOf(state.storage.sql), 'exec')
      let rows = 0
      for (let at = 0; at < count; at++) {
        const end = now + 310 + Math.floor(at / 1000)
        list.add([at % 4 === 0 ? { kind: 'sub', id: `u-${at}`, ver: at % 200, end } : session(`s-${at}`, end)])
        for (const { value } of exec.mock.results) rows += (value as SqlStorageCursor<Record<string, SqlStorageValue>>).rowsWritten
        exec.mockClear()
      }
      return rows
    })
    const snapshot = await stub.feed(null)
    expect(decoded(snapshot)).toMatchObject({ snapshot: true, count, sequence: count })
    expect(snapshot.byteLength / count).toBeLessThanOrEqual(10)
    expect(written).toBeGreaterThanOrEqual(count)
    expect(written / count).toBeLessThan(1.002)
    expect(await rowsOf(stub, 'tail')).toBe(TAIL_STEPS)
    expect(await rowsOf(stub, 'base')).toBeLessThanOrEqual(count / 3000)
  })

  test('a reader within the tail gets exactly its steps, an older one no more than what was packed around them', async () => {
    const stub = newList()
    const cursors = await runInDurableObject(stub, (list: RevocationList) => sessions(TAIL_STEPS + 10).map((denial) => list.add([denial])))
    for (const behind of [0, 1, 1000, 1033]) expect((await read(stub, cursors.at(-1 - behind) ?? null)).count).toBe(behind)
    expect(await read(stub, cursors.at(-1 - 1035) ?? null)).toMatchObject({ snapshot: false, count: TAIL_STEPS + 10 })
    expect(await read(stub, cursors.at(0) ?? null)).toMatchObject({ snapshot: false, count: TAIL_STEPS + 10 })
  })

  test('what was added again and again is packed once', async () => {
    const stub = newList()
    await addSingly(
      stub,
      Array.from({ length: TAIL_STEPS }, (_, at) => ({ kind: 'sub', id: 'the same', ver: at + 1, end: now + 310 + (at % 7) })),
    )
    const after = await read(stub, null)
    expect(after.count).toBe(TAIL_STEPS / 4 + 1)
    const first: number[][] = []
    forEachDenial(after.segments, (_kind, _hi, _lo, bound, end) => first.push([bound, end - now]))
    expect(first[0]).toEqual([(TAIL_STEPS / 4) * 3, 316])
  })

  test('a write that fails leaves nothing of its step: not in the list, not on a socket, and its number is given again', async () => {
    const stub = newList()
    await addSingly(stub, sessions(TAIL_STEPS - 1))
    const before = await read(stub, null)
    const response = await stub.fetch(`http://list/revocations?after=${before.cursor}`, { headers: { upgrade: 'websocket' } })
    const messages: ArrayBuffer[] = []
    response.webSocket?.accept()
    if (response.webSocket) response.webSocket.binaryType = 'arraybuffer'
    response.webSocket?.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) messages.push(data)
    })
    const outcome = await runInDurableObject(stub, (list: RevocationList, state) => {
      const { sql } = state.storage
      // Where the pack of this step would go.
      sql.exec('INSERT INTO base (sequence, first_end, last_end, segments) VALUES (?, 0, 0, ?)', (TAIL_STEPS / 4) * 3, new ArrayBuffer(0))
      try {
        return list.add([session('fails')])
      } catch (error) {
        return String(error)
      } finally {
        sql.exec('DELETE FROM base')
      }
    })
    expect(outcome).toMatch(/UNIQUE/)
    expect(await read(stub, null)).toMatchObject({ sequence: before.sequence, count: before.count })
    await stub.add([session('works')])
    await vi.waitFor(() => expect(messages).toHaveLength(2))
    expect(messages[1] && decoded(messages[1])).toMatchObject({ sequence: before.sequence + 1, count: 1 })
    expect(await read(stub, before.cursor)).toMatchObject({ snapshot: false, count: 1 })
    expect(await read(stub, null)).toMatchObject({ count: TAIL_STEPS })
    response.webSocket?.close()
  })

  test('the sweep keeps what lives among what has ended, in fewer rows', async () => {
    const stub = newList()
    for (let row = 0; row < 20; row++) {
      await stub.add([...sessions(400, `r${row}`), { kind: 'kid', id: `key-${row}`, end: now + 7510 }])
    }
    expect(await rowsOf(stub, 'base')).toBe(20)
    pass(400)
    expect((await read(stub, null)).count).toBe(20 * 401)
    const cursor = (await read(stub, null)).cursor
    await runDurableObjectAlarm(stub)
    await evictDurableObject(stub)
    expect(await rowsOf(stub, 'base')).toBe(1)
    expect(await read(stub, null)).toMatchObject({ count: 20, cursor })
    expect(await read(stub, cursor)).toMatchObject({ count: 0 })
  })

  test('a sweep of many rows is done in parts, each by an alarm of its own', async () => {
    const stub = newList()
    await runInDurableObject(stub, (list: RevocationList) => {
      for (let row = 0; row < 1200; row++) list.add(sessions(300, `r${row}`))
    })
    pass(400)
    const left = []
    for (let part = 0; part < 4; part++) {
      await runDurableObjectAlarm(stub)
      left.push(await rowsOf(stub, 'base'))
    }
    expect(left).toEqual([1200 - 512, 1200 - 1024, 1, 1])
    const alarm = await runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    expect(alarm).toBeNull()
  })

  test('an eviction does not put the sweep off', async () => {
    const stub = newList()
    const alarm = () => runInDurableObject(stub, (_, state) => state.storage.getAlarm())
    await stub.add([session('a')])
    const first = await alarm()
    expect(first).not.toBeNull()
    pass(100)
    await evictDurableObject(stub)
    await stub.add([session('b')])
    expect(await alarm()).toBe(first)
  })

  test('takes over the rows of a list from before there was a tail', async () => {
    const stub = newList()
    await stub.add(sessions(300))
    const before = await read(stub, null)
    await runInDurableObject(stub, (_, { storage: { sql } }) => {
      sql.exec('CREATE TABLE batch (sequence INTEGER PRIMARY KEY, last_end INTEGER NOT NULL, segments BLOB NOT NULL) STRICT')
      sql.exec('INSERT INTO batch SELECT sequence + 6, last_end, segments FROM base')
      sql.exec('DROP TABLE base')
      sql.exec('DROP TABLE tail')
      sql.exec('ALTER TABLE log DROP COLUMN packed')
      sql.exec("DELETE FROM migration WHERE id = '0002-tail'")
    })
    await evictDurableObject(stub)
    const after = await read(stub, null)
    expect(after).toMatchObject({ epoch: before.epoch, key: before.key, sequence: 7, count: 300 })
    await stub.add([session('new')])
    expect(await read(stub, after.cursor)).toMatchObject({ snapshot: false, sequence: 8, count: 1 })
  })

  test('a single step among more large ones than the tail has slots survives eviction', async () => {
    const stub = newList()
    const large = sessions(300)
    const addLarge = (steps: number) =>
      runInDurableObject(stub, (list: RevocationList) => {
        for (let step = 0; step < steps; step++) list.add(large)
      })
    await addLarge(TAIL_STEPS - 100)
    const { cursor } = await read(stub, null)
    await stub.add([session('single')])
    await addLarge(200)
    await evictDurableObject(stub)
    expect(await read(stub, cursor)).toMatchObject({ snapshot: false, count: 200 * 300 + 1, sequence: TAIL_STEPS + 101 })
    expect((await read(stub, null)).count).toBe((TAIL_STEPS + 100) * 300 + 1)
  })
})

describe('a new epoch', () => {
  const EPOCH = '00112233aabbccdd'

  test('leaves key, sequence and denials as they are, says when it began, and outlives an eviction', async () => {
    const stub = newList()
    await stub.add([session('a'), { kind: 'kid', id: 'leaked', end: now + 7510 }])
    const before = await read(stub, null)
    expect(before.epochStart).toBe(0)
    pass(10)
    expect(await stub.renewEpoch(EPOCH)).toEqual({ epoch: EPOCH, epochStart: now * 1000 })
    await evictDurableObject(stub)
    const { key, sequence } = before
    expect(await read(stub, before.cursor)).toMatchObject({
      snapshot: true,
      epoch: EPOCH,
      epochStart: now * 1000,
      key,
      sequence,
      count: 2,
    })
  })

  test('a repeated call answers the same, and takes no doubt further', async () => {
    const stub = newList()
    const first = await stub.renewEpoch(EPOCH)
    pass(10)
    expect(await stub.renewEpoch(EPOCH)).toEqual(first)
    expect(await stub.renewEpoch('0123456789abcdef')).toEqual({ epoch: '0123456789abcdef', epochStart: now * 1000 })
  })

  test('refuses what is no name of an epoch, and changes nothing', async () => {
    const stub = newList()
    const before = await read(stub, null)
    for (const name of ['', '0011', EPOCH.toUpperCase(), `${EPOCH}0`]) {
      const outcome = await runInDurableObject(stub, (list: RevocationList) => {
        try {
          return list.renewEpoch(name)
        } catch (error) {
          return String(error)
        }
      })
      expect(outcome).toMatch(/RangeError/)
    }
    expect((await read(stub, null)).epoch).toBe(before.epoch)
  })
})
