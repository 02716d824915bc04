import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { connect, cookieOf, PASSWORD, requireStatus, sleep } from './person.ts'
import { SEED, sized } from './size.ts'

const WIDTH = 200
const STORMS = sized(3, 30)
/** Contract 11a: wrong passwords in a row that reach the compare. */
const FREE = 10

const rows: Row[] = []
let server: Server
let client: Client
beforeAll(async () => {
  console.log(`guesses: SEED=${SEED}`)
  server = await startServer()
  client = connect(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
  await writeFigures('guessing', rows)
})

const tryWith = (email: string, password: string, cookie = '') =>
  client.post('/api/sign-in', { email, password }, cookie === '' ? {} : { cookie })

/** Parallel wrong tries at one address. */
const storm = (email: string) => Promise.all(Array.from({ length: WIDTH }, (_, index) => tryWith(email, `violet-otter-${index}-wrong`)))

const withStatus = (replies: readonly Reply[], status: number) => replies.filter((reply) => reply.status === status)

function report(what: string, all: readonly Reply[][]): void {
  const compared = all.map((replies) => withStatus(replies, 401).length)
  rows.push({
    what: `${what}: tries that reached the compare, by storm`,
    size: `${all.length} storms of ${WIDTH}`,
    result: `${compared.join(', ')}; answers: ${tally(all.flat().map(({ status }) => status))}`,
  })
  expect(compared).toEqual(all.map(() => FREE))
  for (const reply of all.flat()) {
    if (reply.status === 401) continue
    // 503: the queue of hashes was full before the try was counted.
    expect([429, 503]).toContain(reply.status)
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
  }
}

describe('guessing', { timeout: sized(60_000, 600_000) }, () => {
  test('at an account compares ten passwords, and keeps its known device in', async () => {
    const all: Reply[][] = []
    const known: Reply[] = []
    for (let round = 0; round < STORMS; round++) {
      const email = `guessed-${round}@example.com`
      const device = cookieOf(requireStatus(await client.post('/api/sign-up', { email, password: PASSWORD }), 201), '__Host-device')
      expect(device).not.toBe('')
      const during = Promise.all(
        [0, 100, 200].map(async (ms) => {
          await sleep(ms)
          known.push(await tryWith(email, PASSWORD, device))
        }),
      )
      all.push(await storm(email))
      await during
      // Strangers are refused now, the right password included.
      expect((await tryWith(email, PASSWORD)).status).toBe(429)
      const after = await tryWith(email, PASSWORD, device)
      expect(after.status).toBe(200)
      known.push(after)
    }
    report('a known address', all)
    rows.push({
      what: 'the known device meanwhile and afterwards: refused for the tries of others',
      size: `${known.length} sign-ins`,
      result: `${withStatus(known, 429).length}; answers: ${tally(known.map(({ status }) => status))}`,
    })
    expect(withStatus(known, 429)).toEqual([])
  })

  test('at an address without an account looks just the same', async () => {
    const all: Reply[][] = []
    for (let round = 0; round < STORMS; round++) {
      const email = `nobody-${round}@example.com`
      all.push(await storm(email))
      expect((await tryWith(email, PASSWORD)).status).toBe(429)
    }
    report('an unknown address', all)
    const [reply] = all.flatMap((replies) => withStatus(replies, 401))
    expect(reply?.json).toMatchObject({ code: 'invalid_credentials' })
  })

  test('goes on one try at a time, with longer and longer pauses', async () => {
    const email = 'patient@example.com'
    await requireStatus(await client.post('/api/sign-up', { email, password: PASSWORD }), 201)
    const pauses: number[] = []
    for (let round = 0; round < 3; round++) {
      await sleep(1_000 * (pauses.at(-1) ?? 0) + 50)
      const replies = await storm(email)
      const refused = withStatus(replies, 429)
      expect(withStatus(replies, 401).length).toBe(round === 0 ? FREE : 1)
      pauses.push(Math.max(...refused.map(({ headers }) => Number(headers['retry-after']))))
    }
    rows.push({
      what: 'Retry-After of storm after storm',
      size: `3 storms of ${WIDTH}`,
      result: pauses.map((pause) => `${pause} s`).join(', '),
    })
    expect(pauses).toEqual([1, 2, 4])
  })
})
