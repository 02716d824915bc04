/** What the server has acknowledged to OAuth clients and to the person who uses them, and whether it still holds. */
import type { Reply } from '../support/node/http.ts'
import {
  type Ask,
  authorizationQuery,
  CALLBACK,
  locationOf,
  pkce,
  postAs,
  type Registered,
  refreshAs,
  type TokenAnswer,
} from '../support/node/oauth.ts'
import { hold, type World } from './ledger.ts'
import { bearer, cookieOf, PASSWORD, requireStatus, sleep } from './person.ts'

/** A client of the person's; `consented`: it was acknowledged that they allow it. */
export type App = { client: Registered; name: string; consented: boolean }

/** A code that was acknowledged and not redeemed. */
export type PendingCode = { app: App; code: string; code_verifier: string; issuedMs: number }

export type Grant = { app: App; refresh_token: string; access_token: string | null; issuedMs: number }

/** Something of a client's that must be refused since `sinceMs`. Null: there is none. */
export type DeadGrant = { app: App; refresh_token: string | null; access_token: string | null; issuedMs: number; sinceMs: number }

/** One person in one browser, and the clients that they use. */
export type Holder = {
  cookie: string
  apps: App[]
  codes: PendingCode[]
  grants: Grant[]
  removed: { app: App; sinceMs: number }[]
  dead: DeadGrant[]
}

/** An access token older than this may be refused for its age, and proves nothing. */
const TELLING_MS = 270_000
const FRESH_BOUND_MS = 5_000
const SCOPE = 'openid offline_access'

export async function newHolder({ client }: World, email: string): Promise<Holder> {
  const made = requireStatus(await client.post('/api/sign-up', { email, password: PASSWORD }), 201)
  return { cookie: cookieOf(made), apps: [], codes: [], grants: [], removed: [], dead: [] }
}

export const ownPage = ({ client }: World, { cookie }: Holder) => ({ cookie, origin: client.origin })

/** A new authorization request of a client, and the verifier that belongs to it. */
export function request({ client }: App, changes: Ask = {}) {
  const { code_verifier, code_challenge } = pkce()
  return { code_verifier, path: `/oauth/authorize?${authorizationQuery(client, code_challenge, { scope: SCOPE, ...changes })}` }
}

export const codeIn = (reply: Reply): string | null => (reply.status === 303 ? locationOf(reply).searchParams.get('code') : null)

export const redeemForm = ({ app: { client }, code, code_verifier }: PendingCode) =>
  new URLSearchParams({
    ...{ client_id: client.client_id, client_secret: client.client_secret ?? '' },
    ...{ grant_type: 'authorization_code', code, code_verifier, redirect_uri: CALLBACK },
  })

export const grantOf = (app: App, reply: Reply): Grant => ({ app, ...tokensIn(reply) })

/** Takes over what a refresh answered. */
export const renewGrant = (grant: Grant, reply: Reply): Grant => Object.assign(grant, tokensIn(reply))

function tokensIn(reply: Reply): Omit<Grant, 'app'> {
  const { access_token, refresh_token = '' }: TokenAnswer = JSON.parse(reply.text)
  return { access_token, refresh_token, issuedMs: Date.now() }
}

export function buryGrants(holder: Holder, grants: readonly Grant[]): void {
  const sinceMs = Date.now()
  holder.dead.push(...grants.map((grant) => ({ ...grant, sinceMs })))
  holder.grants = holder.grants.filter((grant) => !grants.includes(grant))
}

export function buryApp(holder: Holder, app: App): void {
  buryGrants(
    holder,
    holder.grants.filter((grant) => grant.app === app),
  )
  holder.apps = holder.apps.filter((each) => each !== app)
  holder.codes = holder.codes.filter((each) => each.app !== app)
  holder.removed.push({ app, sinceMs: Date.now() })
}

const isTelling = (issuedMs: number) => Date.now() - issuedMs < TELLING_MS

const introspect = (world: World, { client }: App, token: string) =>
  postAs<{ active?: boolean }>(world.client, '/oauth/introspect', client, { token })

export const isActive = async (world: World, app: App, token: string): Promise<boolean> =>
  (await introspect(world, app, token)).json.active === true

/** Whether a grant that may or may not have ended lives; says so when its tokens go on disagreeing about it. */
export async function isGrantAlive(world: World, grant: Grant): Promise<boolean> {
  // What was sent before may still be under way, and end it between the two questions.
  for (let tries = 1; ; tries++) {
    const active = grant.access_token !== null && isTelling(grant.issuedMs) ? await isActive(world, grant.app, grant.access_token) : null
    const reply = await refreshAs(world.client, grant.app.client, grant.refresh_token)
    const alive = reply.status === 200
    if (alive) renewGrant(grant, reply)
    if (active !== null && active !== alive && tries < 20) {
      await sleep(50)
      continue
    }
    hold(world, alive || reply.status === 400, `a grant answers ${reply.status}: ${reply.text.slice(0, 200)}`)
    hold(world, active === null || active === alive, `half a grant: refresh ${reply.status}, access token active ${active}`)
    return alive
  }
}

/** All of the grants live, or none does; says so when some do. */
export async function grantsAlive(world: World, what: string, grants: readonly Grant[]): Promise<boolean | null> {
  const alive = await Promise.all(grants.map((grant) => isGrantAlive(world, grant)))
  hold(world, new Set(alive).size <= 1, `${what}: ${alive.filter(Boolean).length} of ${alive.length} grants live`)
  return alive[0] ?? null
}

/** `fresh` may go on accepting for its bound, and not longer. */
async function checkRefused(world: World, what: string, token: string, sinceMs: number): Promise<void> {
  for (;;) {
    const askedMs = Date.now()
    const { status } = await world.client.get('/oauth/userinfo', bearer(token))
    if (status === 200 && askedMs <= sinceMs + FRESH_BOUND_MS) await sleep(100)
    else return hold(world, status === 401, `${what}: userinfo answers ${status}`)
  }
}

async function checkDead(world: World, { app, refresh_token, access_token, issuedMs, sinceMs }: DeadGrant): Promise<void> {
  const what = `an ended grant of ${app.name}`
  if (refresh_token !== null) {
    const { status } = await refreshAs(world.client, app.client, refresh_token)
    hold(world, status === 400 || status === 401, `${what}: refresh answers ${status}`)
  }
  if (access_token === null || !isTelling(issuedMs)) return
  hold(world, !(await isActive(world, app, access_token)), `${what}: its access token is active`)
  await checkRefused(world, what, access_token, sinceMs)
}

export const readApp = (world: World, { client }: App) =>
  world.client.get<{ client_name: string }>(`/oauth/register/${client.client_id}`, bearer(client.registration_access_token))

async function checkApp(world: World, holder: Holder, app: App): Promise<void> {
  const read = await readApp(world, app)
  hold(world, read.status === 200 && read.json.client_name === app.name, `${app.name}: its registration answers ${read.text.slice(0, 200)}`)
  const proven = await introspect(world, app, 'x')
  hold(world, proven.status === 200, `${app.name}: its newest secret answers ${proven.status}`)
  if (!app.consented) return
  const back = await world.client.get(request(app, { prompt: 'none' }).path, { cookie: holder.cookie })
  hold(world, codeIn(back) !== null, `${app.name}: its consent is lost: ${back.status} ${back.headers.location}`)
}

/** What was read of a client is kept for as long as the bound (contract 15). */
async function checkUnknown(world: World, app: App, removedMs: number): Promise<void> {
  for (;;) {
    const askedMs = Date.now()
    const { status } = await introspect(world, app, 'x')
    if (status === 200 && askedMs <= removedMs + FRESH_BOUND_MS) await sleep(100)
    else return hold(world, status === 401, `${app.name}: removed, and proves itself with ${status}`)
  }
}

/** Every acknowledged effect; of what has ended, that which ended at or after `sinceMs`. */
export async function checkHolder(world: World, holder: Holder, sinceMs: number): Promise<void> {
  for (const app of holder.apps) await checkApp(world, holder, app)
  for (const grant of holder.grants) hold(world, await isGrantAlive(world, grant), `${grant.app.name}: a living grant has ended`)
  await checkEnded(world, holder, sinceMs)
}

export async function checkEnded(world: World, holder: Holder, sinceMs: number): Promise<void> {
  for (const dead of holder.dead) if (dead.sinceMs >= sinceMs) await checkDead(world, dead)
  for (const { app, sinceMs: removedMs } of holder.removed) {
    if (removedMs < sinceMs) continue
    hold(world, (await readApp(world, app)).status === 401, `${app.name}: removed, and there`)
    await checkUnknown(world, app, removedMs)
  }
}
