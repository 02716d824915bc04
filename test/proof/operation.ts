/** One state-changing request: what its acknowledgement means, and what a client does whose reply was lost. */
import type { RawRequest, Reply } from '../support/node/http.ts'
import { type Account, bury, hold, isAlive, type Session, type World } from './ledger.ts'
import { bearer, sleep, type Tokens } from './person.ts'

export type Outcome = 'done' | 'not done' | 'either'

export type Operation = {
  kind: string
  request: RawRequest & { method: string }
  /** The status that acknowledges. */
  status: number
  acknowledged(reply: Reply): void
  /** Whether an unacknowledged one came out whole. Only where nothing of it still runs. */
  probe(): Promise<Outcome>
  /** Repeats it, as a client would that never got the reply, until the ledger is true again. */
  complete(): Promise<void>
}

/** Sends as often as the server asks for another try. */
export async function send(world: World, { method, path, body, headers }: Operation['request']): Promise<Reply> {
  for (let tries = 1; ; tries++) {
    const reply = await world.client.request(method, path, body, headers)
    if (reply.status !== 503 || tries === 10) return reply
    await sleep(Number(reply.headers['retry-after'] ?? 1) * 1000)
  }
}

export async function repeat(world: World, operation: Operation, alsoDone: readonly number[] = []): Promise<void> {
  const reply = await send(world, operation.request)
  const done = reply.status === operation.status || alsoDone.includes(reply.status)
  hold(world, done, `${operation.kind} again answers ${reply.status}: ${reply.text.slice(0, 200)}`)
  if (done) operation.acknowledged(reply)
}

export const tokensOf = (reply: Reply): Tokens => JSON.parse(reply.text)

export function tokenSession(reply: Reply): Session {
  const { sid, refresh_token, access_token } = tokensOf(reply)
  return { kind: 'tokens', sid, credential: refresh_token, access_token, issuedMs: Date.now() }
}

/** The headers that name the caller; a token session needs an access token that is not outdated. */
export const callerHeaders = (world: World, { kind, credential, access_token }: Session): Record<string, string> =>
  kind === 'cookie' ? { cookie: credential, origin: world.client.origin } : bearer(access_token ?? '')

/** All of the sessions live, or none does; says so when some do. */
export async function allAlive(world: World, what: string, sessions: readonly Session[]): Promise<boolean | null> {
  const alive = await Promise.all(sessions.map((session) => isAlive(world, session)))
  hold(world, new Set(alive).size <= 1, `${what}: ${alive.filter(Boolean).length} of ${alive.length} sessions live`)
  return alive[0] ?? null
}

/** What ends the sessions that `ended` names. `alsoDone`: other statuses that tell a repeated request that it had been done. */
export function ending(
  world: World,
  kind: string,
  account: Account,
  ended: () => Session[],
  request: Operation['request'],
  alsoDone: readonly number[] = [],
): Operation {
  const operation: Operation = {
    kind,
    request,
    status: 204,
    acknowledged: () => bury(account, ended()),
    probe: async () => ((await allAlive(world, kind, ended())) ? 'not done' : 'done'),
    complete: () => repeat(world, operation, alsoDone),
  }
  return operation
}
