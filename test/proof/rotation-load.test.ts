import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Row, writeFigures } from './figures.ts'
import type { Key } from './key-operations.ts'
import {
  bearer,
  claimsOf,
  connect,
  cookieOf,
  demo,
  type Freshness,
  inLanes,
  kidOf,
  operatorOf,
  PASSWORD,
  requireStatus,
  sleep,
  type Tokens,
} from './person.ts'
import { createRandom } from './random.ts'
import { SEED, sized } from './size.ts'

/** Isolates sign with the key that they loaded first for up to a minute: each edge begins after another rotation. */
const EDGES = 6
/** Each waits until the next key has been published for a moment. In the long run more than are let through: the rest get 429. */
const ROTATIONS_IN_A_ROW = sized(5, 40)
/** Fewer than the keys that may be published at once. */
const ROUNDS = sized(5, 25)
const PAUSE_MS = 1_250
const MINTERS = 2
const VERIFIERS = 6
const FRESH_BOUND_MS = 5_000

const FRESHNESSES: readonly Freshness[] = ['offline', 'fresh', 'live']

type Minted = { token: string; kid: string; expMs: number }

const rows: Row[] = []
let server: Server
let edges: Client[] = []
const random = createRandom(SEED)
beforeAll(async () => {
  console.log(`rotations: SEED=${SEED}`)
  server = await startServer({ workers: EDGES })
  edges = server.origins.map(connect)
})
afterAll(async () => {
  for (const edge of edges) edge.close()
  await server.stop()
  await writeFigures('rotation-load', rows)
})

async function cookiesOf(count: number, name: string): Promise<string[]> {
  const cookies: string[] = []
  await inLanes(count, 4, async (index) => {
    const reply = await random.pick(edges).post('/api/sign-up', { email: `${name}-${index}@example.com`, password: PASSWORD })
    cookies.push(cookieOf(requireStatus(reply, 201)))
  })
  return cookies
}

async function mint(edge: Client, cookie: string): Promise<Minted> {
  const reply = requireStatus(await edge.post<Tokens>('/api/token', {}, { cookie, origin: server.origin }), 200)
  const token = reply.json.access_token
  return { token, kid: kidOf(token), expMs: claimsOf(token).exp * 1000 }
}

const rotate = async () =>
  requireStatus(await random.pick(edges).post<{ kid: string }>('/admin/api/keys/rotate', undefined, operatorOf(server)), 201)

const revoke = async (kid: string) =>
  requireStatus(await random.pick(edges).post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server)), 204)

const keys = async () => (await random.pick(edges).get<{ keys: Key[] }>('/admin/api/keys', operatorOf(server))).json.keys

/** Starts minting on the first `open` edges and verifying on all of them, until `stop`. */
function load(cookies: readonly string[]) {
  const minted: Minted[] = []
  const refused: string[] = []
  let open = 1
  let verified = 0
  let running = true
  async function minter() {
    while (running) {
      minted.push(await mint(random.pick(edges.slice(0, open)), random.pick(cookies)))
      await sleep(10)
    }
  }
  async function verifier() {
    while (running) {
      // Half of them young: those are the ones whose key a verifier has not seen.
      const { token, expMs } = random.pick(random.oneIn(2) ? minted.slice(-5) : minted)
      if (expMs < Date.now() + 5_000) continue
      const freshness = random.pick(FRESHNESSES)
      const reply = await demo(random.pick(edges), freshness, token)
      verified += 1
      if (reply.status !== 200) refused.push(`${freshness} ${reply.status} ${reply.headers['www-authenticate'] ?? ''}`)
    }
  }
  async function begin() {
    minted.push(await mint(random.pick(edges), random.pick(cookies)))
    await Promise.all([...Array.from({ length: MINTERS }, minter), ...Array.from({ length: VERIFIERS }, verifier)])
  }
  const ended = begin()
  return {
    minted,
    refused,
    openNext() {
      open = Math.min(EDGES, open + 1)
    },
    verified: () => verified,
    async stop() {
      running = false
      await ended
    },
  }
}

describe('signing keys under load', { timeout: sized(120_000, 1_200_000) }, () => {
  test('rotate without the refusal of one valid token', async () => {
    const work = load(await cookiesOf(8, 'rotated'))
    for (let round = 0; round < ROUNDS; round++) {
      await sleep(PAUSE_MS)
      await rotate()
      work.openNext()
    }
    await sleep(PAUSE_MS)
    await work.stop()
    const kids = new Set(work.minted.map(({ kid }) => kid))
    const size = `${ROUNDS} rotations, ${work.minted.length} tokens of ${kids.size} keys, ${work.verified()} requests on ${EDGES} edges`
    rows.push({ what: 'rotation under load: valid tokens refused', size, result: `${work.refused.length}` })
    expect(work.refused).toEqual([])
    expect(kids.size).toBeGreaterThan(3)
  })

  test('are revoked with every token that they signed, and no other', async () => {
    const cookies = await cookiesOf(8, 'revoked')
    const minted: Minted[] = []
    for (let count = 0; count < 60; count++) minted.push(await mint(random.pick(edges), random.pick(cookies)))
    const [kid = '', ...others] = [...Map.groupBy(minted, (each) => each.kid).keys()]
    const doomed = minted.filter((each) => each.kid === kid)
    const spared = minted.filter((each) => each.kid !== kid)
    expect(others.length).toBeGreaterThan(0)
    for (const { token } of doomed) expect((await demo(random.pick(edges), 'fresh', token)).status).toBe(200)

    await revoke(kid)
    const acknowledgedMs = Date.now()
    const late: Record<'live' | 'fresh' | 'spared', string[]> = { live: [], fresh: [], spared: [] }
    let asked = 0
    let lastFreshMs = 0
    while (Date.now() < acknowledgedMs + FRESH_BOUND_MS + 1_500) {
      const askedMs = Date.now()
      const freshness = random.pick(['live', 'fresh'] as const)
      const { status } = await demo(random.pick(edges), freshness, random.pick(doomed).token)
      asked += 1
      const seen = `${status}, asked ${askedMs - acknowledgedMs} ms after the reply`
      if (status !== 401 && freshness === 'live') late.live.push(seen)
      if (status !== 401 && freshness === 'fresh') lastFreshMs = askedMs - acknowledgedMs
      if (status !== 401 && freshness === 'fresh' && askedMs > acknowledgedMs + FRESH_BOUND_MS) late.fresh.push(seen)
      const other = await demo(random.pick(edges), random.pick(FRESHNESSES), random.pick(spared).token)
      if (other.status !== 200) late.spared.push(`${other.status}`)
    }
    rows.push({
      what: 'one key revoked: its tokens accepted by live after the reply / by fresh after 5 s / tokens of other keys refused',
      size: `${asked} requests, last fresh accepted ${lastFreshMs} ms after the reply`,
      result: [late.live, late.fresh, late.spared].map((all) => all.length).join(' / '),
    })
    expect(late).toEqual({ live: [], fresh: [], spared: [] })
    for (const edge of edges) {
      const { token, kid: signer } = await mint(edge, random.pick(cookies))
      expect(signer).not.toBe(kid)
      expect((await demo(random.pick(edges), 'live', token)).status).toBe(200)
    }
  })

  test('rotate many times in a row without the refusal of one valid token', async () => {
    const cookies = await cookiesOf(2, 'many')
    const [edge] = edges
    if (!edge) throw new Error('no edge')
    const before = await mint(edge, random.pick(cookies))
    for (let rotation = 0; rotation < ROTATIONS_IN_A_ROW; rotation++) {
      const reply = await edge.post('/admin/api/keys/rotate', undefined, operatorOf(server))
      expect([201, 429]).toContain(reply.status)
      if (reply.status === 429) expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0)
    }
    const states = await keys()
    expect(states.length).toBeLessThanOrEqual(64)
    // Isolates that start now know no key yet: the first edge to be asked, and every one after a restart.
    await server.restart()
    edges = server.origins.map(connect)
    const refused: string[] = []
    for (const each of edges) {
      const after = await each.post<Tokens>('/api/token', {}, { cookie: random.pick(cookies), origin: server.origin })
      const tokens = after.status === 200 ? [before.token, after.json.access_token] : [before.token]
      if (after.status !== 200) refused.push(`minting ${after.status}`)
      for (const token of tokens) {
        for (const freshness of FRESHNESSES) {
          const reply = await each.get(`/api/demo/${freshness}`, bearer(token))
          if (reply.status !== 200) refused.push(`${freshness} ${reply.status}`)
        }
      }
    }
    const size = `${ROTATIONS_IN_A_ROW} rotations, ${states.length} keys`
    rows.push({ what: 'many rotations in a row: valid tokens refused', size, result: `${refused.length}` })
    expect(refused).toEqual([])
  })
})
