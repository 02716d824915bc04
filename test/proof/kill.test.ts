import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, startServer } from '../support/node/server.ts'
import * as accounts from './account-operations.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { checkKeys, rotateKeys } from './key-operations.ts'
import { type Account, checkAccount, hold, type World } from './ledger.ts'
import { oauthActor } from './oauth-actor.ts'
import { newHolder } from './oauth-ledger.ts'
import type { Operation, Outcome } from './operation.ts'
import { connect, operatorOf, PASSWORD, sleep } from './person.ts'
import { createRandom, type Random } from './random.ts'
import * as sessions from './session-operations.ts'
import { SEED, sized } from './size.ts'
import { storedCodes } from './stored-codes.ts'

const ROUNDS = sized(50, 500)
const ACTORS = 6
/** Every so many rounds one more actor rotates the keys. */
const ROTATE_EVERY = sized(3, 20)

/** Persons who use OAuth clients, beside the actors with accounts. */
const HOLDERS = 2

/** One client with accounts of its own, so that nobody else changes what it remembers of them. */
type Owner = { name: string; random: Random; accounts: Account[]; touched: Set<Account>; signUps: number }

/** What does one request after the other, and looks at what has become of them. */
type Actor = {
  choose(): Operation | Promise<Operation>
  /** What was done since then; everything. */
  check(sinceMs: number): Promise<void>
  checkAll(): Promise<void>
}

type Player = { actor: Actor; pending: Operation | null }

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

function chooseOperation(world: World, actor: Owner): Operation {
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

/** Whether it is the server that is gone. */
const isCutOff = (error: unknown) => error instanceof Error && 'code' in error

/** One request after the other, until one gets no reply. */
async function run(world: World, player: Player, acknowledged: string[]): Promise<void> {
  for (;;) {
    const operation = await Promise.resolve(player.actor.choose()).catch((error: unknown) => {
      if (isCutOff(error)) return null
      throw error
    })
    if (!operation) return
    player.pending = operation
    const { method, path, body, headers } = operation.request
    const reply = await world.client.request(method, path, body, headers).catch(() => null)
    if (!reply || reply.status === 503) return
    hold(world, reply.status === operation.status, `${operation.kind} answers ${reply.status}: ${reply.text.slice(0, 200)}`)
    if (reply.status !== operation.status) return
    operation.acknowledged(reply)
    acknowledged.push(operation.kind)
    player.pending = null
  }
}

async function settle(player: Player, outcomes: string[]): Promise<void> {
  const { pending } = player
  if (!pending) return
  const outcome: Outcome = await pending.probe()
  await pending.complete()
  outcomes.push(`${pending.kind}: ${outcome}`)
  player.pending = null
}

/** What one server and its clients went through. */
type Story = { world: World; acknowledged: string[]; outcomes: string[]; accounts: number; codes: number; half: string[] }

/** One rotation in flight, so that the kill meets it at any of its steps. */
async function rotateBeside(world: World, keeper: Player, acknowledged: string[]): Promise<void> {
  const operation = rotateKeys(world)
  keeper.pending = operation
  const { method, path, body, headers } = operation.request
  const reply = await world.client.request(method, path, body, headers).catch(() => null)
  if (reply?.status !== operation.status) return
  acknowledged.push(operation.kind)
  keeper.pending = null
}

function accountActor(world: World, owner: Owner): Actor {
  return {
    choose: () => chooseOperation(world, owner),
    check: (sinceMs) => checkTouched(world, owner, sinceMs),
    async checkAll() {
      for (const account of owner.accounts) await checkAccount(world, account, 0, { password: true })
    },
  }
}

async function live(server: Server, random: Random, rounds: number): Promise<Story> {
  const world: World = { client: connect(server.origin), operator: operatorOf(server), broken: [], held: 0 }
  const owners = Array.from({ length: ACTORS }, (_, index): Owner => {
    return { name: `actor-${index}`, random: random.fork(), accounts: [], touched: new Set(), signUps: 0 }
  })
  const holders = await Promise.all(Array.from({ length: HOLDERS }, (_, index) => newHolder(world, `holder-${index}@example.com`)))
  const actors = [
    ...owners.map((owner) => accountActor(world, owner)),
    ...holders.map((holder): Actor => oauthActor(world, holder, random.fork())),
  ]
  const players = actors.map((actor): Player => ({ actor, pending: null }))
  const keeper: Player = {
    actor: { choose: () => rotateKeys(world), check: async () => {}, checkAll: () => checkKeys(world) },
    pending: null,
  }
  const acknowledged: string[] = []
  const outcomes: string[] = []
  const story = { codes: 0, half: [] as string[] }
  for (let round = 0; round < rounds; round++) {
    const sinceMs = Date.now()
    const runs = players.map((player) => run(world, player, acknowledged))
    await acknowledgements(acknowledged, acknowledged.length + random.int(1, 30))
    await sleep(random.int(0, 25))
    if (round % ROTATE_EVERY === 0) {
      runs.push(rotateBeside(world, keeper, acknowledged))
      await sleep(random.int(0, 40))
    }
    await server.kill9()
    await Promise.all(runs)
    world.client.close()
    const stored = await storedCodes(server.directory, sinceMs)
    story.codes += stored.redeemed
    story.half.push(...stored.half)
    await server.restart()
    world.client = connect(server.origin)
    await Promise.all([...players, keeper].map((player) => settle(player, outcomes)))
    await Promise.all(actors.map((actor) => actor.check(sinceMs)))
  }
  await Promise.all([...actors, keeper.actor].map((actor) => actor.checkAll()))
  world.client.close()
  const accounts = owners.reduce((sum, owner) => sum + owner.accounts.length, holders.length)
  return { world, acknowledged, outcomes, accounts, ...story }
}

/** Waits until so many have come, however slow the machine is; but not for long. */
async function acknowledgements(acknowledged: readonly string[], count: number): Promise<void> {
  const startedMs = Date.now()
  while (acknowledged.length < count && Date.now() < startedMs + 2_000) await sleep(2)
}

async function checkTouched(world: World, { random, touched }: Owner, sinceMs: number): Promise<void> {
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
    const half = stories.flatMap((story) => story.half)
    const codes = stories.reduce((sum, story) => sum + story.codes, 0)
    const held = stories.reduce((sum, { world }) => sum + world.held, 0)
    const size = `${ROUNDS} kills, ${acknowledged.length} acknowledged`
    rows.push(
      { what: 'acknowledged effects lost, or half done', size, result: `${broken.length}` },
      { what: 'what was acknowledged', size: `${accounts} accounts, ${held} checks`, result: tally(acknowledged) },
      {
        what: 'on the disk after a kill: codes redeemed without their family, families without their code',
        size: `${codes} looks at a redeemed code`,
        result: `${half.length}`,
      },
      { what: 'what was cut off, and how it came out', size: `${outcomes.length} requests`, result: tally(outcomes) },
    )
    expect(broken).toEqual([])
    expect(half).toEqual([])
    expect(codes).toBeGreaterThan(0)
    expect(acknowledged.length).toBeGreaterThan(ROUNDS)
    expect(outcomes.length).toBeGreaterThan(ROUNDS / 2)
  })
})
