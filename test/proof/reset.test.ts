import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { resetAfter } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import * as accounts from './account-operations.ts'
import { type Row, writeFigures } from './figures.ts'
import { checkKeys, keysOf, revokeKey, rotateKeys } from './key-operations.ts'
import { type Account, checkAccount, checkProfile, hold, type Session, type World } from './ledger.ts'
import { type App, checkHolder, type Grant, type Holder, newHolder, type PendingCode } from './oauth-ledger.ts'
import * as oauth from './oauth-operations.ts'
import { type Operation, send } from './operation.ts'
import { connect, inLanes, operatorOf, PASSWORD } from './person.ts'
import { createRandom } from './random.ts'
import * as sessions from './session-operations.ts'
import { SEED, sized } from './size.ts'

const ROUNDS = sized(50, 1_000)
const LANES = 4
/** A server hashes one password at a time. */
const SERVERS = 2
/** More rotations in a row than this are a proof of their own. */
const ROTATIONS = 40

/**
 * Milliseconds from the last byte sent to the reset: from "it overtakes the request" to "the reply has come". Half of them are at once:
 * the quickest routes have answered before the first millisecond is over.
 */
const DELAYS = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 80]

const rows: Row[] = []
let servers: Server[] = []
let worlds: World[] = []
beforeAll(async () => {
  console.log(`resets: SEED=${SEED}`)
  servers = await Promise.all(Array.from({ length: SERVERS }, () => startServer()))
  worlds = servers.map((server) => ({ client: connect(server.origin), operator: operatorOf(server), broken: [], held: 0 }))
})
afterAll(async () => {
  for (const { client } of worlds) client.close()
  await Promise.all(servers.map((server) => server.stop()))
  await writeFigures('reset', rows)
})

/** Sends an operation whose reply is never got. True when nothing of a reply had come. */
async function cutOff({ client }: World, { request }: Operation, ms: number): Promise<boolean> {
  return (await resetAfter(client.origin, request, ms)) === ''
}

/** An operation that runs through: what a round stands on. */
async function through(world: World, operation: Operation): Promise<void> {
  const reply = await send(world, operation.request)
  hold(world, reply.status === operation.status, `${operation.kind} answers ${reply.status}: ${reply.text.slice(0, 200)}`)
  if (reply.status === operation.status) operation.acknowledged(reply)
}

async function newAccount(world: World, email: string): Promise<Account> {
  const made: Account[] = []
  await through(
    world,
    sessions.signUp(world, email, PASSWORD, (account) => made.push(account)),
  )
  const [account] = made
  if (!account) throw new Error(`${email} was not made`)
  return account
}

async function another(world: World, account: Account, use: Session['kind']): Promise<Session> {
  await through(world, sessions.signIn(world, account, use))
  const session = account.sessions.at(-1)
  if (!session) throw new Error('no session was made')
  if (use === 'cookie') await through(world, sessions.renewal(world, session))
  return session
}

/** A session that stays, its access token not outdated: to do things with. */
async function callerOf(world: World, account: Account): Promise<Session> {
  const caller = account.sessions.find(({ kind }) => kind === 'tokens') ?? (await another(world, account, 'tokens'))
  if (caller.access_token === null) await through(world, sessions.renewal(world, caller))
  return caller
}

const CASES: Record<string, (world: World, account: Account, round: number) => Promise<Operation>> = {
  'sign-in (tokens)': async (world, account) => sessions.signIn(world, account, 'tokens'),
  'sign-in (cookie)': async (world, account) => sessions.signIn(world, account, 'cookie'),
  refresh: async (world, account) => sessions.renewal(world, await callerOf(world, account)),
  'access token by cookie': async (world, account) =>
    sessions.renewal(world, account.sessions.find(({ kind }) => kind === 'cookie') ?? (await another(world, account, 'cookie'))),
  'sign-out (refresh token)': async (world, account) => sessions.signOut(world, account, await another(world, account, 'tokens')),
  'sign-out (cookie)': async (world, account) => sessions.signOut(world, account, await another(world, account, 'cookie')),
  'end one session': async (world, account) => {
    const caller = await callerOf(world, account)
    return sessions.endOther(world, account, caller, await another(world, account, 'tokens'))
  },
  'end all sessions': async (world, account) => {
    await another(world, account, 'cookie')
    return sessions.endAll(world, account, await callerOf(world, account))
  },
  'end all sessions (operator)': async (world, account) => {
    await callerOf(world, account)
    return sessions.endAll(world, account, null)
  },
  password: async (world, account, round) =>
    accounts.changePassword(world, account, await callerOf(world, account), `violet-otter-${round}-lanterns`),
  roles: async (world, account, round) => {
    await callerOf(world, account)
    return accounts.setRoles(world, account, [`role-${round}`])
  },
  ban: async (world, account) => {
    if (account.banned) await through(world, accounts.unban(world, account))
    await callerOf(world, account)
    return accounts.ban(world, account)
  },
  unban: async (world, account) => {
    if (!account.banned) await through(world, accounts.ban(world, account))
    return accounts.unban(world, account)
  },
}

/** The same of OAuth. What a case needs first is done by operations that run through. */
const OAUTH_CASES: Record<string, (world: World, holder: Holder, round: number) => Promise<Operation>> = {
  'register a client': async (world, holder, round) => oauth.registerApp(world, holder, `App ${round}`),
  'update a client': async (world, holder, round) => oauth.renameApp(world, await appOf(world, holder), `App ${round}`),
  'another secret': async (world, holder) => oauth.rotateSecret(world, await appOf(world, holder)),
  'remove a client': async (world, holder) => {
    await grantFor(world, holder, await appOf(world, holder))
    return oauth.removeApp(world, holder, await appOf(world, holder))
  },
  consent: async (world, holder) => {
    const app = await anotherApp(world, holder)
    return (await oauth.consent(world, holder, app)) ?? oauth.authorizeAgain(world, holder, app)
  },
  authorize: async (world, holder) => oauth.authorizeAgain(world, holder, await appOf(world, holder)),
  redeem: async (world, holder) => oauth.redeemCode(world, holder, await codeOf(world, holder, await appOf(world, holder))),
  'refresh as a client': async (world, holder) =>
    oauth.refreshGrant(world, holder.grants[0] ?? (await grantFor(world, holder, await appOf(world, holder)))),
  'revoke a refresh token': async (world, holder) =>
    oauth.revokeGrant(world, holder, await grantFor(world, holder, await appOf(world, holder))),
  'revoke an access token': async (world, holder) => {
    const grant = holder.grants[0] ?? (await grantFor(world, holder, await appOf(world, holder)))
    if (grant.access_token === null) await through(world, oauth.refreshGrant(world, grant))
    return oauth.revokeAccess(world, holder, grant, grant.access_token ?? '')
  },
}

async function anotherApp(world: World, holder: Holder): Promise<App> {
  await through(world, oauth.registerApp(world, holder, 'App'))
  return newest(holder.apps)
}

/** One that the person allows. */
async function appOf(world: World, holder: Holder): Promise<App> {
  const app = holder.apps[0] ?? (await anotherApp(world, holder))
  const consent = app.consented ? null : await oauth.consent(world, holder, app)
  if (consent) await through(world, consent)
  return app
}

async function codeOf(world: World, holder: Holder, app: App): Promise<PendingCode> {
  await through(world, oauth.authorizeAgain(world, holder, app))
  return newest(holder.codes)
}

async function grantFor(world: World, holder: Holder, app: App): Promise<Grant> {
  await through(world, oauth.redeemCode(world, holder, await codeOf(world, holder, app)))
  return newest(holder.grants)
}

function newest<T>(items: readonly T[]): T {
  const item = items.at(-1)
  if (item === undefined) throw new RangeError('nothing was made')
  return item
}

describe('a client that resets its connection', { timeout: sized(120_000, 1_200_000) }, () => {
  const random = createRandom(SEED)

  const brokenIn = () => worlds.flatMap(({ broken }) => broken)
  const worldOf = (lane: number): World => {
    const world = worlds[lane % SERVERS]
    if (!world) throw new RangeError('no such lane')
    return world
  }

  type Round = { operation: Operation; account: () => Account[] }

  /** Whoever sent it repeats it at once, while the first one may still be under way; then everything acknowledged must hold. */
  async function proveCase(name: string, prepare: (world: World, lane: number, round: number) => Promise<Round>) {
    const before = brokenIn().length
    let cut = 0
    await inLanes(LANES, LANES, async (lane) => {
      const world = worldOf(lane)
      const touched = new Set<Account>()
      const chances = random.fork()
      for (let round = lane; round < ROUNDS; round += LANES) {
        const { operation, account } = await prepare(world, lane, round)
        if (await cutOff(world, operation, chances.pick(DELAYS))) cut += 1
        await operation.complete()
        for (const each of account()) touched.add(each)
        for (const each of account()) await checkProfile(world, each)
      }
      // What has ended is looked at here: in each round it would have to wait until the verifier's view is a second older.
      for (const account of touched) await checkAccount(world, account, 0, { password: true })
    })
    const broken = brokenIn().slice(before)
    rows.push({ what: `${name}: inconsistent afterwards`, size: `${ROUNDS} resets, ${cut} before any reply`, result: `${broken.length}` })
    expect(broken).toEqual([])
    expect(cut).toBeGreaterThan(ROUNDS / 20)
  }

  test.for(Object.keys(CASES))('leaves things whole, and the retry completes them: %s', async (name) => {
    const lanes = await Promise.all(
      Array.from({ length: LANES }, (_, lane) => newAccount(worldOf(lane), `${name.replace(/\W+/g, '-')}.${lane}@example.com`)),
    )
    await proveCase(name, async (world, lane, round) => {
      const account = lanes[lane]
      const operationOf = CASES[name]
      if (!account || !operationOf) throw new RangeError('no such case')
      return { operation: await operationOf(world, account, round), account: () => [account] }
    })
  })

  test('leaves no half account: sign-up', async () => {
    await proveCase('sign-up', async (world, _, round) => {
      const made: Account[] = []
      const operation = sessions.signUp(world, `new-${round}@example.com`, PASSWORD, (account) => made.push(account))
      return { operation, account: () => made }
    })
  })

  test.for(Object.keys(OAUTH_CASES))('leaves OAuth clients and their people whole as well: %s', async (name) => {
    const holders = await Promise.all(
      Array.from({ length: LANES }, (_, lane) => newHolder(worldOf(lane), `${name.replace(/\W+/g, '-')}.oauth.${lane}@example.com`)),
    )
    const before = brokenIn().length
    let cut = 0
    await inLanes(LANES, LANES, async (lane) => {
      const [world, holder, operationOf, chances] = [worldOf(lane), holders[lane], OAUTH_CASES[name], random.fork()]
      if (!holder || !operationOf) throw new RangeError('no such case')
      for (let round = lane; round < ROUNDS; round += LANES) {
        const operation = await operationOf(world, holder, round)
        if (await cutOff(world, operation, chances.pick(DELAYS))) cut += 1
        await operation.complete()
      }
      await checkHolder(world, holder, 0)
    })
    const broken = brokenIn().slice(before)
    rows.push({ what: `${name}: inconsistent afterwards`, size: `${ROUNDS} resets, ${cut} before any reply`, result: `${broken.length}` })
    expect(broken).toEqual([])
    expect(cut).toBeGreaterThan(0)
  })

  test('leaves one signing key and its successor, and a key that is revoked or will be: rotation, revocation', async () => {
    const world = worldOf(0)
    const before = world.broken.length
    for (let round = 0; round < ROTATIONS; round++) {
      await cutOff(world, rotateKeys(world), random.pick(DELAYS))
      await checkKeys(world)
    }
    const retired = (await keysOf(world)).filter(({ state }) => state === 'retired').map(({ kid }) => kid)
    const operations = retired.map((kid) => revokeKey(world, kid))
    await Promise.all(operations.map((operation) => cutOff(world, operation, random.pick(DELAYS))))
    await Promise.all(operations.map((operation) => operation.complete()))
    const states = new Map((await keysOf(world)).map(({ kid, state }) => [kid, state]))
    const published = (await world.client.get<{ keys: { kid: string }[] }>('/.well-known/jwks.json')).json.keys.map(({ kid }) => kid)
    for (const kid of retired) {
      hold(world, states.get(kid) === 'revoked', `a revoked key is ${states.get(kid)}`)
      hold(world, !published.includes(kid), 'a revoked key is published')
    }
    await checkKeys(world)
    const size = `${ROTATIONS} and ${retired.length} resets`
    rows.push({ what: 'key rotation, key revocation: inconsistent afterwards', size, result: `${world.broken.length - before}` })
    expect(world.broken.slice(before)).toEqual([])
    expect(retired.length).toBeGreaterThan(0)
  })
})
