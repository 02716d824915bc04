/** What the server has acknowledged, and whether it still holds: the memory that kill and reset proofs check a server against. */
import type { Client } from '../support/node/http.ts'
import { bearer, demo, type Freshness, refresh, sleep } from './person.ts'

export type World = {
  client: Client
  operator: { authorization: string }
  /** Promises found broken, one sentence each. */
  broken: string[]
  /** How many acknowledged effects were looked at and found. */
  held: number
}

export type Session = {
  kind: 'tokens' | 'cookie'
  sid: string
  /** The newest acknowledged refresh token, or the cookie as `name=value`. */
  credential: string
  /** Null: none yet, or outdated. */
  access_token: string | null
  /** Milliseconds. */
  issuedMs: number
}

/** Something that must be refused since `sinceMs`. */
export type Dead = { session: Session; sinceMs: number }
export type Outdated = { access_token: string; issuedMs: number; sinceMs: number }

export type Account = {
  email: string
  sub: string
  password: string
  roles: string[]
  banned: boolean
  sessions: Session[]
  dead: Dead[]
  outdated: Outdated[]
  /** The most sessions that may live without our knowing: sign-ins whose replies were lost. */
  strays: number
}

/** An access token older than this may be refused for its age, and proves nothing. */
const TELLING_MS = 270_000
/** Contract 15: how long after the reply a `fresh` route may still accept. */
const FRESH_BOUND_MS = 5_000

const isTelling = (issuedMs: number) => Date.now() - issuedMs < TELLING_MS

export function hold(world: World, kept: boolean, sentence: string): void {
  if (kept) world.held += 1
  else world.broken.push(sentence)
}

/** What ends one session, all of them, or all but one: they must be refused from now on. */
export function bury(account: Account, sessions: readonly Session[]): void {
  const sinceMs = Date.now()
  account.dead.push(...sessions.map((session) => ({ session, sinceMs })))
  account.sessions = account.sessions.filter((session) => !sessions.includes(session))
}

/** What raises the account's version outdates every access token made before. */
export function outdate(account: Account): void {
  const sinceMs = Date.now()
  for (const session of account.sessions) {
    if (session.access_token !== null) account.outdated.push({ access_token: session.access_token, issuedMs: session.issuedMs, sinceMs })
    session.access_token = null
  }
}

const ask = async (world: World, freshness: Freshness, token: string) => (await demo(world.client, freshness, token)).status

export const currentSession = (world: World, cookie: string) => world.client.get<{ sid: string }>('/api/session', { cookie })

/** Whether a session that may or may not have ended lives; says so when its tokens disagree about it. */
export async function isAlive(world: World, session: Session): Promise<boolean> {
  const { kind, access_token } = session
  const telling = access_token !== null && isTelling(session.issuedMs) ? access_token : null
  const live = telling === null ? null : await ask(world, 'live', telling)
  const reply = kind === 'tokens' ? await refresh(world.client, session.credential) : await currentSession(world, session.credential)
  const alive = reply.status === 200
  const refusal = kind === 'tokens' ? 400 : 401
  hold(world, alive || reply.status === refusal, `${kind} session answers ${reply.status}: ${reply.text.slice(0, 200)}`)
  if (live !== null) hold(world, live === (alive ? 200 : 401), `half ended: ${kind} session answers ${reply.status}, live ${live}`)
  if (alive && kind === 'tokens') renew(session, reply.text)
  return alive
}

/** Takes over what a refresh answered. */
export function renew(session: Session, answer: string): void {
  const { refresh_token, access_token }: { refresh_token: string; access_token: string } = JSON.parse(answer)
  Object.assign(session, { credential: refresh_token, access_token, issuedMs: Date.now() })
}

async function checkLiving(world: World, account: Account, session: Session): Promise<void> {
  const name = `${account.email} ${session.kind}`
  if (session.access_token !== null && isTelling(session.issuedMs)) {
    for (const freshness of ['live', 'fresh'] as const) {
      const status = await ask(world, freshness, session.access_token)
      hold(world, status === 200, `${name}: ${freshness} refuses the token of a living session with ${status}`)
    }
  }
  hold(world, await isAlive(world, session), `${name}: false logout`)
}

/** `fresh` may go on accepting for its bound, and not longer. */
async function checkRefused(world: World, what: string, token: string, sinceMs: number): Promise<void> {
  const live = await ask(world, 'live', token)
  hold(world, live === 401, `${what}: live answers ${live}`)
  for (;;) {
    const askedMs = Date.now()
    const fresh = await ask(world, 'fresh', token)
    if (fresh === 200 && askedMs <= sinceMs + FRESH_BOUND_MS) await sleep(100)
    else return hold(world, fresh === 401, `${what}: fresh answers ${fresh}`)
  }
}

async function checkDead(world: World, account: Account, { session, sinceMs }: Dead): Promise<void> {
  const what = `${account.email}: ended ${session.kind} session`
  const { kind, credential, access_token, issuedMs } = session
  const status = kind === 'tokens' ? (await refresh(world.client, credential)).status : (await currentSession(world, credential)).status
  hold(world, status === (kind === 'tokens' ? 400 : 401), `${what} answers ${status}`)
  if (access_token !== null && isTelling(issuedMs)) await checkRefused(world, what, access_token, sinceMs)
}

/** The account lists the sessions that we know, none that has ended, and no more others than replies were lost. */
async function checkListed(world: World, account: Account): Promise<void> {
  const witness = account.sessions.find(({ kind, access_token }) => kind === 'cookie' || access_token !== null)
  if (!witness) return
  const headers = witness.kind === 'cookie' ? { cookie: witness.credential } : bearer(witness.access_token ?? '')
  const reply = await world.client.get<{ sessions: { sid: string }[] }>('/api/sessions', headers)
  if (reply.status !== 200) return hold(world, false, `${account.email}: its sessions answer ${reply.status}`)
  const listed = new Set(reply.json.sessions.map(({ sid }) => sid))
  for (const { sid } of account.sessions) hold(world, listed.has(sid), `${account.email}: a living session is not listed`)
  for (const { session } of account.dead) hold(world, !listed.has(session.sid), `${account.email}: an ended session is listed`)
  const strays = listed.size - account.sessions.length
  hold(world, strays <= account.strays, `${account.email}: ${strays} unknown sessions, ${account.strays} lost replies`)
}

export type Described = { sub: string; roles: string[]; banned: boolean }

export const describeAccount = (world: World, email: string) =>
  world.client.get<Described>(`/admin/api/accounts?email=${encodeURIComponent(email)}`, world.operator)

/** Whether the account is there, banned or not, with its roles. */
export async function checkProfile(world: World, account: Account): Promise<void> {
  const described = await describeAccount(world, account.email)
  if (described.status !== 200) return hold(world, false, `${account.email}: lost, ${described.status}`)
  const { roles, banned } = described.json
  hold(world, banned === account.banned, `${account.email}: banned ${banned}, acknowledged ${account.banned}`)
  hold(world, `${roles}` === `${account.roles}`, `${account.email}: roles ${roles}, acknowledged ${account.roles}`)
}

/** Every acknowledged effect on one account; of what has ended, that which ended at or after `sinceMs`. */
export async function checkAccount(world: World, account: Account, sinceMs: number, options: { password: boolean }): Promise<void> {
  await checkProfile(world, account)
  for (const session of account.sessions) await checkLiving(world, account, session)
  for (const dead of account.dead) if (dead.sinceMs >= sinceMs) await checkDead(world, account, dead)
  for (const { access_token, issuedMs, sinceMs: outdatedMs } of account.outdated) {
    if (outdatedMs < sinceMs || !isTelling(issuedMs)) continue
    await checkRefused(world, `${account.email}: outdated token`, access_token, outdatedMs)
  }
  await checkListed(world, account)
  if (options.password) await checkPassword(world, account)
}

async function checkPassword(world: World, account: Account): Promise<void> {
  const { email, password } = account
  const { status } = await world.client.post('/api/sign-in', { email, password, use: 'tokens' })
  const expected = account.banned ? [401, 429] : [200]
  hold(world, expected.includes(status), `${email}: sign-in with its password answers ${status}`)
  if (status === 200) account.strays += 1
}
