/** Operations on sessions: sign-up, sign-in, renewal, and the ways to end them. */
import { type Account, hold, renew, type Session, type World } from './ledger.ts'
import { callerHeaders, ending, type Operation, repeat, send, tokenSession, tokensOf } from './operation.ts'
import { claimsOf, cookieOf } from './person.ts'

export function signUp(world: World, email: string, password: string, made: (account: Account) => void): Operation {
  let strays = 0
  const request = { method: 'POST', path: '/api/sign-up', body: { email, password, use: 'tokens' } }
  const again = { ...request, path: '/api/sign-in' }
  const operation: Operation = {
    kind: 'sign-up',
    request,
    status: 201,
    acknowledged(reply) {
      const session = tokenSession(reply)
      const { sub } = claimsOf(session.access_token ?? '')
      made({ email, sub, password, roles: [], banned: false, sessions: [session], dead: [], outdated: [], strays })
    },
    async probe() {
      const reply = await send(world, again)
      hold(world, reply.status === 200 || reply.status === 401, `half a sign-up: sign-in answers ${reply.status}`)
      if (reply.status !== 200) return 'not done'
      strays += 2
      return 'done'
    },
    async complete() {
      const reply = await send(world, request)
      if (reply.status === 201) return operation.acknowledged(reply)
      strays += 1
      const signedIn = await send(world, again)
      hold(world, reply.status === 409 && signedIn.status === 200, `half a sign-up: ${reply.status}, then sign-in ${signedIn.status}`)
      if (signedIn.status === 200) operation.acknowledged(signedIn)
    },
  }
  return operation
}

export function signIn(world: World, account: Account, use: 'tokens' | 'cookie'): Operation {
  const { email, password } = account
  const operation: Operation = {
    kind: `sign-in (${use})`,
    request: { method: 'POST', path: '/api/sign-in', body: { email, password, use } },
    status: 200,
    acknowledged(reply) {
      if (use === 'tokens') account.sessions.push(tokenSession(reply))
      else {
        const { sid }: { sid: string } = JSON.parse(reply.text)
        account.sessions.push({ kind: 'cookie', sid, credential: cookieOf(reply), access_token: null, issuedMs: 0 })
      }
    },
    probe: async () => 'either',
    async complete() {
      account.strays += 1
      await repeat(world, operation)
    },
  }
  return operation
}

/** A refresh, or with a cookie the minting of an access token: repeating it gives what was lost. */
export function renewal(world: World, session: Session): Operation {
  const refreshes = session.kind === 'tokens'
  const headers = refreshes ? {} : { cookie: session.credential, origin: world.client.origin }
  const operation: Operation = {
    kind: refreshes ? 'refresh' : 'access token',
    request: {
      method: 'POST',
      path: refreshes ? '/api/refresh' : '/api/token',
      headers,
      body: refreshes ? { refresh_token: session.credential } : {},
    },
    status: 200,
    acknowledged(reply) {
      if (refreshes) renew(session, reply.text)
      else Object.assign(session, { access_token: tokensOf(reply).access_token, issuedMs: Date.now() })
    },
    probe: async () => 'either',
    complete: () => repeat(world, operation),
  }
  return operation
}

export function signOut(world: World, account: Account, session: Session): Operation {
  const how =
    session.kind === 'tokens'
      ? { body: { refresh_token: session.credential } }
      : { headers: { cookie: session.credential, origin: world.client.origin } }
  return ending(world, `sign-out (${session.kind})`, account, () => [session], { method: 'POST', path: '/api/sign-out', ...how })
}

/** `caller` needs an access token that is not outdated. */
export function endOther(world: World, account: Account, caller: Session, session: Session): Operation {
  const request = { method: 'DELETE', path: `/api/sessions/${session.sid}`, headers: callerHeaders(world, caller) }
  return ending(world, 'end one session', account, () => [session], request)
}

/** By the person, who is signed out with it and can only be told so (401), or by an operator. */
export function endAll(world: World, account: Account, caller: Session | null): Operation {
  const request = caller
    ? { method: 'DELETE', path: '/api/sessions', headers: callerHeaders(world, caller) }
    : { method: 'DELETE', path: `/admin/api/accounts/${account.sub}/sessions`, headers: world.operator }
  const kind = caller ? 'end all sessions' : 'end all sessions (operator)'
  const operation = ending(world, kind, account, () => [...account.sessions], request, caller ? [401] : [])
  return {
    ...operation,
    acknowledged(reply) {
      operation.acknowledged(reply)
      account.strays = 0
    },
  }
}
