/** Operations on a whole account: ban, unban, roles, password. */
import { type Account, bury, currentSession, describeAccount, hold, isAlive, outdate, renew, type Session, type World } from './ledger.ts'
import { allAlive, callerHeaders, ending, type Operation, type Outcome, repeat, send } from './operation.ts'
import { bearer, refresh } from './person.ts'

export function ban(world: World, account: Account): Operation {
  const request = { method: 'POST', path: `/admin/api/accounts/${account.sub}/ban`, headers: world.operator }
  const operation = ending(world, 'ban', account, () => [...account.sessions], request)
  const acknowledged = () => {
    bury(account, account.sessions)
    Object.assign(account, { banned: true, strays: 0 })
  }
  const probe = async (): Promise<Outcome> => {
    const { banned } = (await describeAccount(world, account.email)).json
    const alive = await allAlive(world, 'ban', account.sessions)
    hold(world, alive === null || alive === !banned, `half a ban: banned ${banned}, sessions alive ${alive}`)
    return banned ? 'done' : 'not done'
  }
  const complete = async () => {
    await repeat(world, { ...operation, acknowledged })
  }
  return { ...operation, acknowledged, probe, complete }
}

export function unban(world: World, account: Account): Operation {
  const operation: Operation = {
    kind: 'unban',
    request: { method: 'POST', path: `/admin/api/accounts/${account.sub}/unban`, headers: world.operator },
    status: 204,
    acknowledged() {
      account.banned = false
    },
    probe: async () => ((await describeAccount(world, account.email)).json.banned ? 'not done' : 'done'),
    complete: () => repeat(world, operation),
  }
  return operation
}

export function setRoles(world: World, account: Account, roles: string[]): Operation {
  const operation: Operation = {
    kind: 'roles',
    request: { method: 'PUT', path: `/admin/api/accounts/${account.sub}/roles`, headers: world.operator, body: { roles } },
    status: 204,
    acknowledged() {
      outdate(account)
      account.roles = roles
    },
    async probe() {
      const now = (await describeAccount(world, account.email)).json.roles
      const done = `${now}` === `${roles}`
      hold(world, done || `${now}` === `${account.roles}`, `roles: neither the old nor the new ones: ${now}`)
      for (const { access_token } of account.sessions) {
        if (access_token === null) continue
        const { status } = await world.client.get('/api/demo/live', bearer(access_token))
        hold(world, status === (done ? 401 : 200), `half a change of roles: changed ${done}, live ${status}`)
      }
      if (done) outdate(account)
      return done ? 'done' : 'not done'
    },
    complete: () => repeat(world, operation),
  }
  return operation
}

/** `caller` is a token session whose access token is not outdated; it lives on. */
export function changePassword(world: World, account: Account, caller: Session, next: string): Operation {
  const before = account.password
  const others = () => account.sessions.filter((session) => session !== caller)
  const requestNow = () => ({
    method: 'POST',
    path: '/api/password',
    headers: callerHeaders(world, caller),
    body: { current_password: before, new_password: next },
  })
  const trySignIn = async (password: string) => {
    const { email } = account
    const { status } = await send(world, { method: 'POST', path: '/api/sign-in', body: { email, password } })
    hold(world, status === 200 || status === 401, `sign-in answers ${status} after a change of the password`)
    if (status === 200) account.strays += 1
    return status === 200
  }
  const acknowledged = () => {
    outdate(account)
    bury(account, others())
    Object.assign(account, { password: next, strays: 0 })
  }
  return {
    kind: 'password',
    request: requestNow(),
    status: 204,
    acknowledged,
    async probe() {
      const [old, changed] = [await trySignIn(before), await trySignIn(next)]
      hold(world, old !== changed, `half a password: the old one works ${old}, the new one ${changed}`)
      if (changed) caller.access_token = null
      hold(world, await isAlive(world, caller), 'a change of the password ended its own session')
      const alive = await allAlive(world, 'password', others())
      hold(world, alive === null || alive === !changed, `half a password: changed ${changed}, other sessions alive ${alive}`)
      return changed ? 'done' : 'not done'
    },
    async complete() {
      const lives = await refreshCaller(world, caller)
      hold(world, lives, 'a change of the password ended its own session')
      // The first one may have arrived after all: then this is its repetition, or the old password is wrong by now (403), or it came
      // between the refresh and this (401). Whether the token of that refresh is outdated, only the server knows.
      const { status } = await send(world, requestNow())
      hold(world, [204, 401, 403].includes(status), `password again answers ${status}`)
      caller.access_token = null
      const { strays } = account
      acknowledged()
      hold(world, await trySignIn(next), 'the new password does not work')
      account.strays += strays
      await refreshCaller(world, caller)
    },
  }
}

async function refreshCaller(world: World, caller: Session): Promise<boolean> {
  if (caller.kind === 'cookie') return (await currentSession(world, caller.credential)).status === 200
  const reply = await refresh(world.client, caller.credential)
  if (reply.status === 200) renew(caller, reply.text)
  return reply.status === 200
}
