import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Row, spread, writeFigures } from './figures.ts'
import { claimsOf, connect, demo, inLanes, kidOf, operatorOf, refresh, requireStatus, signUp, sleep, type Tokens } from './person.ts'
import { createRandom } from './random.ts'
import { SEED, sized } from './size.ts'

const PEOPLE = sized(50, 500)
const KEYS = sized(3, 20)
/** Contract 15: counted from the reply to the revoking request. */
const FRESH_BOUND_MS = 5_000
/** Milliseconds within which all of the people are revoked, each at a moment of its own. */
const SPREAD_MS = sized(3_000, 30_000)

const rows: Row[] = []
const random = createRandom(SEED)
let server: Server
let edges: Client[] = []
beforeAll(async () => {
  console.log(`revocation delays: SEED=${SEED}`)
  server = await startServer({ workers: 2 })
  edges = server.origins.map(connect)
})
afterAll(async () => {
  for (const edge of edges) edge.close()
  await server.stop()
  await writeFigures('revocation-delay', rows)
})

async function people(name: string, count: number): Promise<Tokens[]> {
  const all: Tokens[] = []
  await inLanes(count, 8, async (index) => {
    all.push(await signUp(random.pick(edges), `${name}-${index}@example.com`))
  })
  return all
}

/** What one revocation looked like from outside. Milliseconds after its acknowledgement; 0 when it was refused before. */
type Seen = { liveAccepted: number; lastFreshMs: number; firstRefusalMs: number }

/**
 * Asks `fresh` and `live` steadily on all edges, before, during and after `revoke`, until `fresh` has been refused on every edge for a
 * second (a view has had the time to become a new one), or past the bound.
 */
async function watch(token: string, everyMs: number, revoke: () => Promise<void>): Promise<Seen> {
  let acknowledgedMs = Number.POSITIVE_INFINITY
  let lastAcceptedMs = 0
  let firstRefusedMs = Number.POSITIVE_INFINITY
  let liveAccepted = 0
  const over = () => {
    const now = Date.now()
    if (now > acknowledgedMs + FRESH_BOUND_MS + 2_000) return true
    return now > acknowledgedMs + 1_500 && firstRefusedMs < now && lastAcceptedMs < now - 1_500
  }
  async function ask(edge: Client, freshness: 'fresh' | 'live') {
    while (!over()) {
      const askedMs = Date.now()
      const { status } = await demo(edge, freshness, token)
      if (status !== 200 && status !== 401) throw new Error(`${freshness} answers ${status}`)
      const accepted = status === 200
      if (freshness === 'live' && accepted && askedMs > acknowledgedMs) liveAccepted += 1
      if (freshness === 'fresh' && accepted) lastAcceptedMs = Math.max(lastAcceptedMs, askedMs)
      if (freshness === 'fresh' && !accepted) firstRefusedMs = Math.min(firstRefusedMs, Date.now())
      await sleep(everyMs)
    }
  }
  async function end() {
    await revoke()
    acknowledgedMs = Date.now()
  }
  await Promise.all([end(), ...edges.flatMap((edge) => [ask(edge, 'fresh'), ask(edge, 'live')])])
  if (lastAcceptedMs === 0) throw new Error('the token was refused before it was revoked')
  return {
    liveAccepted,
    lastFreshMs: Math.max(0, lastAcceptedMs - acknowledgedMs),
    firstRefusalMs: Math.max(0, firstRefusedMs - acknowledgedMs),
  }
}

function report(what: string, all: readonly Seen[]): void {
  const liveAccepted = all.reduce((sum, seen) => sum + seen.liveAccepted, 0)
  const size = `${all.length} revocations on ${edges.length} edges`
  rows.push(
    { what: `${what}: accepted by live after the reply`, size, result: `${liveAccepted}` },
    { what: `${what}: reply to first refusal by fresh, p50 / p99 / max`, size, result: spread(all.map((seen) => seen.firstRefusalMs)) },
    {
      what: `${what}: reply to last acceptance by fresh on any edge, p50 / p99 / max`,
      size,
      result: spread(all.map((seen) => seen.lastFreshMs)),
    },
  )
  expect(liveAccepted).toBe(0)
  expect(Math.max(...all.map((seen) => seen.lastFreshMs))).toBeLessThanOrEqual(FRESH_BOUND_MS)
  expect(Math.max(...all.map((seen) => seen.firstRefusalMs))).toBeLessThanOrEqual(FRESH_BOUND_MS)
}

describe('a revocation', { timeout: sized(120_000, 1_200_000) }, () => {
  test('of a session or of a version reaches live with its reply, and fresh within its bound', async () => {
    const leaving = await people('leaving', PEOPLE)
    const changing = await people('changing', PEOPLE)
    const operator = operatorOf(server)
    const bySession = leaving.map(async ({ access_token, refresh_token }) =>
      watch(access_token, 250, async () => {
        await sleep(random.int(500, SPREAD_MS))
        requireStatus(await random.pick(edges).post('/api/sign-out', { refresh_token }), 204)
      }),
    )
    const byVersion = changing.map(async ({ access_token }) =>
      watch(access_token, 250, async () => {
        await sleep(random.int(500, SPREAD_MS))
        const path = `/admin/api/accounts/${claimsOf(access_token).sub}/roles`
        requireStatus(await random.pick(edges).put(path, { roles: ['changed'] }, operator), 204)
      }),
    )
    report('sign-out (sid)', await Promise.all(bySession))
    report('change of roles (sub and ver)', await Promise.all(byVersion))
    // Outdated is not ended: the same people go on with a refresh.
    for (const { refresh_token } of changing) {
      const renewed = requireStatus(await refresh(random.pick(edges), refresh_token), 200).json
      expect((await demo(random.pick(edges), 'fresh', renewed.access_token)).status).toBe(200)
    }
  })

  test('of a signing key does the same to all that it signed', async () => {
    const [one] = await people('signed', 1)
    let tokens = one
    const seen: Seen[] = []
    for (let round = 0; round < KEYS; round++) {
      if (!tokens) throw new Error('nobody to watch')
      const kid = kidOf(tokens.access_token)
      seen.push(
        await watch(tokens.access_token, 50, async () => {
          await sleep(500)
          requireStatus(await random.pick(edges).post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server)), 204)
        }),
      )
      tokens = requireStatus(await refresh(random.pick(edges), tokens.refresh_token), 200).json
      expect(kidOf(tokens.access_token)).not.toBe(kid)
    }
    report('key revocation (kid)', seen)
  })
})
