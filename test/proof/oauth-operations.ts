/** Operations of OAuth: clients that register, change and go, people who allow them, and what they do with the tokens. */
import { CALLBACK, interactionIn, type Registered } from '../support/node/oauth.ts'
import { hold, type World } from './ledger.ts'
import {
  type App,
  buryApp,
  buryGrants,
  codeIn,
  type Grant,
  grantOf,
  grantsAlive,
  type Holder,
  isActive,
  isGrantAlive,
  ownPage,
  type PendingCode,
  readApp,
  redeemForm,
  renewGrant,
  request,
} from './oauth-ledger.ts'
import { type Operation, repeat, send } from './operation.ts'
import { bearer } from './person.ts'

const METADATA = { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'client_secret_post' }

export function registerApp(world: World, holder: Holder, name: string): Operation {
  const operation: Operation = {
    kind: 'register a client',
    request: { method: 'POST', path: '/oauth/register', body: { ...METADATA, client_name: name } },
    status: 201,
    acknowledged(reply) {
      holder.apps.push({ client: JSON.parse(reply.text), name, consented: false })
    },
    probe: async () => 'either',
    complete: () => repeat(world, operation),
  }
  return operation
}

const manage = ({ client }: App, method: string, path = '') => ({
  method,
  path: `/oauth/register/${client.client_id}${path}`,
  headers: bearer(client.registration_access_token),
})

export function renameApp(world: World, app: App, name: string): Operation {
  const body = { ...METADATA, client_id: app.client.client_id, client_name: name }
  const operation: Operation = {
    kind: 'update a client',
    request: { ...manage(app, 'PUT'), body },
    status: 200,
    acknowledged() {
      app.name = name
    },
    async probe() {
      const { client_name } = (await readApp(world, app)).json
      hold(world, client_name === name || client_name === app.name, `neither the old nor the new name: ${client_name}`)
      return client_name === name ? 'done' : 'not done'
    },
    complete: () => repeat(world, operation),
  }
  return operation
}

/** The secrets before the new one go on working for a day: whoever lost the reply asks for another. */
export function rotateSecret(world: World, app: App): Operation {
  const operation: Operation = {
    kind: 'another secret',
    request: manage(app, 'POST', '/secret'),
    status: 200,
    acknowledged(reply) {
      const { client_secret = '' }: Registered = JSON.parse(reply.text)
      app.client = { ...app.client, client_secret }
    },
    probe: async () => 'either',
    complete: () => repeat(world, operation),
  }
  return operation
}

export function removeApp(world: World, holder: Holder, app: App): Operation {
  const operation: Operation = {
    kind: 'remove a client',
    request: manage(app, 'DELETE'),
    status: 204,
    acknowledged: () => buryApp(holder, app),
    async probe() {
      const { status } = await readApp(world, app)
      hold(world, status === 200 || status === 401, `half a client: ${status}`)
      if (status === 401) return 'done'
      const mine = holder.grants.filter((grant) => grant.app === app)
      hold(world, (await grantsAlive(world, 'remove a client', mine)) !== false, 'a client is there, its grants are not')
      return 'not done'
    },
    complete: () => repeat(world, operation, [401]),
  }
  return operation
}

/** The person allows what a page has asked them. Null: there was no page, for they have allowed it before. */
export async function consent(world: World, holder: Holder, app: App): Promise<Operation | null> {
  const asked = request(app)
  const page = await world.client.get(asked.path, { cookie: holder.cookie })
  if (page.status !== 200) return null
  const fields = { interaction: interactionIn(page), decision: 'allow' }
  const operation: Operation = {
    kind: 'consent',
    request: { method: 'POST', path: '/consent', headers: ownPage(world, holder), body: new URLSearchParams(fields) },
    status: 303,
    acknowledged(reply) {
      app.consented = true
      const code = codeIn(reply)
      hold(world, code !== null, `a consent without a code: ${reply.headers.location}`)
      if (code !== null) holder.codes.push({ app, code, code_verifier: asked.code_verifier, issuedMs: Date.now() })
    },
    async probe() {
      const silent = await world.client.get(request(app, { prompt: 'none' }).path, { cookie: holder.cookie })
      hold(world, silent.status === 303, `half a consent: ${silent.status}`)
      return codeIn(silent) === null ? 'not done' : 'done'
    },
    complete: () => repeat(world, operation),
  }
  return operation
}

/** For an app that the person has allowed: straight to the code. */
export function authorizeAgain(world: World, holder: Holder, app: App): Operation {
  const asked = request(app)
  const operation: Operation = {
    kind: 'authorize',
    request: { method: 'GET', path: asked.path, headers: { cookie: holder.cookie } },
    status: 303,
    acknowledged(reply) {
      const code = codeIn(reply)
      hold(world, code !== null, `no code for what was allowed: ${reply.headers.location}`)
      if (code !== null) holder.codes.push({ app, code, code_verifier: asked.code_verifier, issuedMs: Date.now() })
    },
    probe: async () => 'either',
    complete: () => repeat(world, operation),
  }
  return operation
}

/**
 * A code whose answer was lost is presented again, as a client would: either it was not used and gives its tokens, or it was, and this ends
 * what it gave. Where the first one is still under way, it may be the one that ends what this one got.
 */
export function redeemCode(world: World, holder: Holder, pending: PendingCode): Operation {
  const drop = () => {
    holder.codes = holder.codes.filter((each) => each !== pending)
  }
  const operation: Operation = {
    kind: 'redeem',
    request: { method: 'POST', path: '/oauth/token', body: redeemForm(pending) },
    status: 200,
    acknowledged(reply) {
      drop()
      holder.grants.push(grantOf(pending.app, reply))
    },
    probe: async () => 'either',
    async complete() {
      drop()
      const reply = await send(world, operation.request)
      hold(world, reply.status === 200 || /invalid_grant/.test(reply.text), `a code again answers ${reply.text.slice(0, 200)}`)
      if (reply.status !== 200) return
      const grant = grantOf(pending.app, reply)
      const alive = await isGrantAlive(world, grant)
      const third = await send(world, operation.request)
      hold(world, /invalid_grant/.test(third.text), `a code for the second time answers ${third.status}`)
      hold(world, !(await isGrantAlive(world, grant)), `a replay has not ended the grant (alive before: ${alive})`)
    },
  }
  return operation
}

export function refreshGrant(world: World, grant: Grant): Operation {
  const { client_id, client_secret = '' } = grant.app.client
  const operation: Operation = {
    kind: 'refresh as a client',
    request: {
      ...{ method: 'POST', path: '/oauth/token' },
      body: new URLSearchParams({ client_id, client_secret, grant_type: 'refresh_token', refresh_token: grant.refresh_token }),
    },
    status: 200,
    acknowledged: (reply) => renewGrant(grant, reply),
    probe: async () => 'either',
    complete: () => repeat(world, operation),
  }
  return operation
}

const revocation = ({ client: { client_id, client_secret = '' } }: App, token: string) => ({
  ...{ method: 'POST', path: '/oauth/revoke' },
  body: new URLSearchParams({ client_id, client_secret, token }),
})

export function revokeGrant(world: World, holder: Holder, grant: Grant): Operation {
  const operation: Operation = {
    kind: 'revoke a refresh token',
    request: revocation(grant.app, grant.refresh_token),
    status: 200,
    acknowledged: () => buryGrants(holder, [grant]),
    probe: async () => ((await isGrantAlive(world, grant)) ? 'not done' : 'done'),
    complete: () => repeat(world, operation),
  }
  return operation
}

/** `access_token` is the grant's own, and not null. */
export function revokeAccess(world: World, holder: Holder, grant: Grant, access_token: string): Operation {
  const { app, issuedMs } = grant
  const operation: Operation = {
    kind: 'revoke an access token',
    request: revocation(app, access_token),
    status: 200,
    acknowledged() {
      holder.dead.push({ app, refresh_token: null, access_token, issuedMs, sinceMs: Date.now() })
      grant.access_token = null
    },
    probe: async () => ((await isActive(world, app, access_token)) ? 'not done' : 'done'),
    complete: () => repeat(world, operation),
  }
  return operation
}
