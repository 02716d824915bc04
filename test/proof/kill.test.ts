import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, startServer } from '../support/node/server.ts'
import * as accounts from './account-operations.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { checkKeys, rotateKeys } from './key-operations.ts'
import { type Account, checkAccount, hold, type World } from './ledger.ts'
import type { Operation, Outcome } from './operation.ts'
import { connect, inLanes, operatorOf, PASSWORD, sleep } from './person.ts'
import { createRandom, type Random } from './random.ts'
import * as sessions from './session-operations.ts'
import { SEED, sized } from './size.ts'

const ROUNDS = sized(50, 500)
const ACTORS = 6
/** Every so many rounds one more actor rotates the keys. */
const ROTATE_EVERY = sized(3, 20)

/** One client with accounts of its own, so that nobody else changes what it remembers of them. */
type Actor = { name: string; random: Random; accounts: Account[]; touched: Set<Account>; pending: Operation | null; signUps: number }

/** Restarts are mostly waiting: two servers share the rounds. */
const SERVERS = 2

const rows: Row[] = []
let servers: Server[] = []
beforeAll(async () => {
  console.log(`kills: SEED=${SEED}`)
  servers = await Promise.all(Array.from({ length: SERVERS }, () => startServer()))
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()))
  await writeFigures('kill', rows)
})

function chooseOperation(world: World, actor: Actor): Operation {
  const { random } = actor
  if (actor.accounts.length === 0 || random.oneIn(16)) {
    actor.signUps += 1
    return sessions.signUp(world, `${actor.name}-${actor.signUps}@example.com`, PASSWORD, (account) => {
      actor.accounts.push(account)
      actor.touched.add(account)
    })
  }
  // Mostly the newest ones: they are what the next kill interrupts.
  const account = random.pick(random.oneIn(4) ? actor.accounts : actor.accounts.slice(-3))
  actor.touched.add(account)
  return chooseOn(world, account, random)
}

function chooseOn(world: World, account: Account, random: Random): Operation {
  if (account.banned) return accounts.unban(world, account)
  if (account.sessions.length === 0 || random.oneIn(account.sessions.length < 3 ? 8 : 24))
    return sessions.signIn(world, account, random.pick(['tokens', 'cookie']))
  const session = random.pick(account.sessions)
  const caller = account.sessions.find(({ access_token }) => access_token !== null)
  switch (random.int(1, 24)) {
    case 1:
      return accounts.ban(world, account)
    case 2:
    case 3:
      return accounts.setRoles(world, account, [`role-${random.int(1, 1_000_000)}`])
    case 4:
      return sessions.endAll(world, account, random.oneIn(2) && caller ? caller : null)
    case 5:
      if (caller?.kind !== 'tokens') break
      return accounts.changePassword(world, account, caller, `violet-otter-${random.int(100, 1_000_000)}-lantern`)
    case 6:
    case 7:
      if (!caller || caller === session) break
      return sessions.endOther(world, account, caller, session)
    case 8:
    case 9:
      return sessions.signOut(world, account, session)
  }
  return sessions.renewal(world, session)
}

/** One request after the other, until one gets no reply. */
async function run(world: World, actor: Actor, acknowledged: string[], choose: () => Operation): Promise<void> {
  for (;;) {
    const operation = choose()
    actor.pending = operation
    const { method, path, body, headers } = operation.request
    const reply = await world.client.request(method, path, body, headers).catch(() => null)
    if (!reply || reply.status === 503) return
    hold(world, reply.status === operation.status, `${operation.kind} answers ${reply.status}: ${reply.text.slice(0, 200)}`)
    if (reply.status !== operation.status) return
    operation.acknowledged(reply)
    acknowledged.push(operation.kind)
    actor.pending = null
  }
}

async function settle(actor: Actor, outcomes: string[]): Promise<void> {
  const { pending } = actor
  if (!pending) return
  const outcome: Outcome = await pending.probe()
  await pending.complete()
  outcomes.push(`${pending.kind}: ${outcome}`)
  actor.pending = null
}

/** What one server and its clients went through. */
type Story = { world: World; acknowledged: string[]; outcomes: string[]; accounts: number }

/** One rotation in flight, so that the kill meets it at any of its steps. */
async function rotateBeside(world: World, keeper: Actor, acknowledged: string[]): Promise<void> {
  const operation = rotateKeys(world)
  keeper.pending = operation
  const { method, path, body, headers } = operation.request
  const reply = await world.client.request(method, path, body, headers).catch(() => null)
  if (reply?.status !== operation.status) return
  acknowledged.push(operation.kind)
  keeper.pending = null
}

async function live(server: Server, random: Random, rounds: number): Promise<Story> {
  const world: World = { client: connect(server.origin), operator: operatorOf(server), broken: [], held: 0 }
  const actorNamed = (name: string): Actor => ({ name, random: random.fork(), accounts: [], touched: new Set(), pending: null, signUps: 0 })
  const actors = Array.from({ length: ACTORS }, (_, index) => actorNamed(`actor-${index}`))
  const keeper = actorNamed('keeper')
  const acknowledged: string[] = []
  const outcomes: string[] = []
  for (let round = 0; round < rounds; round++) {
    const sinceMs = Date.now()
    const runs = actors.map((actor) => run(world, actor, acknowledged, () => chooseOperation(world, actor)))
    await acknowledgements(acknowledged, acknowledged.length + random.int(1, 30))
    await sleep(random.int(0, 25))
    if (round % ROTATE_EVERY === 0) {
      runs.push(rotateBeside(world, keeper, acknowledged))
      await sleep(random.int(0, 40))
    }
    await server.kill9()
    await Promise.all(runs)
    world.client.close()
    await server.restart()
    world.client = connect(server.origin)
    await Promise.all([...actors, keeper].map((actor) => settle(actor, outcomes)))
    await Promise.all(actors.map((actor) => checkTouched(world, actor, sinceMs)))
  }
  const all = actors.flatMap((actor) => actor.accounts)
  await inLanes(all.length, 8, async (index) => {
    const account = all[index]
    if (account) await checkAccount(world, account, 0, { password: true })
  })
  await checkKeys(world)
  world.client.close()
  return { world, acknowledged, outcomes, accounts: all.length }
}

/** Waits until so many have come, however slow the machine is; but not for long. */
async function acknowledgements(acknowledged: readonly string[], count: number): Promise<void> {
  const startedMs = Date.now()
  while (acknowledged.length < count && Date.now() < startedMs + 2_000) await sleep(2)
}

async function checkTouched(world: World, { random, touched }: Actor, sinceMs: number): Promise<void> {
  for (const account of touched) await checkAccount(world, account, sinceMs, { password: random.oneIn(4) })
  touched.clear()
}

describe('SIGKILL at any moment', () => {
  test('loses no acknowledged effect, and leaves no half one', { timeout: sized(300_000, 7_200_000) }, async () => {
    const random = createRandom(SEED)
    const stories = await Promise.all(servers.map((server) => live(server, random.fork(), ROUNDS / SERVERS)))
    const broken = stories.flatMap(({ world }) => world.broken)
    const acknowledged = stories.flatMap((story) => story.acknowledged)
    const outcomes = stories.flatMap((story) => story.outcomes)
    const accounts = stories.reduce((sum, story) => sum + story.accounts, 0)
    const held = stories.reduce((sum, { world }) => sum + world.held, 0)
    const size = `${ROUNDS} kills, ${acknowledged.length} acknowledged`
    rows.push(
      { what: 'acknowledged effects lost, or half done', size, result: `${broken.length}` },
      { what: 'what was acknowledged', size: `${accounts} accounts, ${held} checks`, result: tally(acknowledged) },
      { what: 'what was cut off, and how it came out', size: `${outcomes.length} requests`, result: tally(outcomes) },
    )
    expect(broken).toEqual([])
    expect(acknowledged.length).toBeGreaterThan(ROUNDS)
    expect(outcomes.length).toBeGreaterThan(ROUNDS / 2)
  })
})
