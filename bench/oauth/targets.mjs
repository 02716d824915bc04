// What is timed, of every server: a code for tokens, a refresh, client_credentials, introspection.
import * as bundles from '../bundles.mjs'
import { CONNECTIONS, Connection, each, jsonOf, loop } from '../client.mjs'
import { post } from '../people.mjs'
import { startWorker } from '../server.mjs'
import { nodeFloors, rowFloor, startNodeFloors, startRowFloor, startWorkerFloors, workerFloors } from './floors.mjs'
import { postForm, redeem, refreshOnce } from './flows.mjs'
import { sqlite, startOAuthProvider, startOidcProvider, startOidcProviderOnRedis, startOpenAuth, startSallyport } from './servers.mjs'

/** Codes of a run: it takes as long as they do. */
export const CODES = 1920
/** Redeemed before the clock starts, so that what making them all has left in memory is not collected at the first ones' cost. */
export const CODES_BEFORE = 640

const GROUP = 'POST'

/** @typedef {'code' | 'refresh' | 'client_credentials' | 'introspection'} Operation */

const timed = ({ pid, beside }, row) => ({ group: GROUP, loops: CONNECTIONS, pid, beside, ...row, name: `${row.operation}: ${row.of}` })

function codeTarget(issuer, { kind, ...row }) {
  let codes = []
  const ready = async () => {
    const made = await issuer.makeCodes(CODES_BEFORE + CODES, kind)
    await redeemAll(made.slice(0, CODES_BEFORE))
    codes = made.slice(CODES_BEFORE)
  }
  const redeemAll = (some) => each(issuer.port, some, (connection, code) => redeem(connection, issuer.token, code))
  const run = () => redeemAll(codes)
  return timed(issuer, { ...row, operation: 'code', ready, run })
}

/** Answers the tokens of `CONNECTIONS` codes. */
async function tokensOf(issuer, kind) {
  const redemptions = await issuer.makeCodes(CONNECTIONS, kind)
  const connection = await Connection.open(issuer.port)
  const tokens = []
  for (const redemption of redemptions) tokens.push(await redeem(connection, issuer.token, redemption))
  connection.close()
  return { tokens, redemptions }
}

async function refreshTarget(issuer, { kind, ...row }) {
  const { tokens, redemptions } = await tokensOf(issuer, kind)
  const { client_id, resource } = redemptions[0].fields
  const fields = { ...(client_id ? { client_id } : {}), ...(resource ? { resource } : {}) }
  const states = tokens.map(({ refresh_token }) => refresh_token)
  const step = (connection, token) => refreshOnce(connection, issuer.token, token, { fields, openid: kind.openid })
  return timed(issuer, { ...row, operation: 'refresh', leadIn: true, run: (seconds) => loop(issuer.port, states, step, seconds) })
}

function clientCredentialsTarget(issuer, { kind: { resource }, ...row }) {
  const { headers, fields } = issuer.service
  const form = { grant_type: 'client_credentials', ...fields, ...(resource ? { resource } : {}) }
  const step = async (connection) => {
    const { access_token } = await postForm(connection, issuer.token, form, headers)
    if (!access_token) throw new Error('no access token')
    return null
  }
  const states = Array(CONNECTIONS).fill(null)
  // Nothing is stored of a JWT, but by OpenAuth: a refresh token.
  const state = row.tokens === 'JWT' && row.state === 'durable' ? 'none' : row.state
  return timed(issuer, { ...row, state, operation: 'client_credentials', run: (seconds) => loop(issuer.port, states, step, seconds) })
}

/**
 * Each loop asks about its own person's token, which is made anew for every run: it lives for 5 minutes. `configured`: of an app in the
 * configuration, asked about by an API there; else of a registered client, which asks itself.
 */
function introspectionTarget(issuer, { kind, ...row }) {
  let states = []
  const { headers } = kind.configured ? issuer.api : issuer.service
  const ready = async () => {
    const { tokens } = await tokensOf(issuer, { ...kind, confidential: !kind.configured })
    states = tokens.map(({ access_token }) => access_token)
  }
  const step = async (connection, token) => {
    const { active } = await postForm(connection, issuer.introspection, { token }, headers)
    if (!active) throw new Error('a living token is not active')
    return token
  }
  return timed(issuer, { ...row, operation: 'introspection', ready, run: (seconds) => loop(issuer.port, states, step, seconds) })
}

const JWT = { tokens: 'JWT', kind: { openid: false, resource: 'urn:bench:jwt' } }
const OPAQUE = { tokens: 'opaque', kind: { openid: false, resource: 'urn:bench:opaque' } }
const WITH_ID = { tokens: 'JWT + RS256 ID token', idToken: 'RS256', kind: { openid: true, resource: 'urn:bench:jwt' } }
const WITH_ES256_ID = { tokens: 'JWT + ES256 ID token', idToken: 'ES256', kind: { openid: true, es256: true, resource: 'urn:bench:jwt' } }

async function codesAndRefreshes(issuer, rows) {
  const targets = rows.map((row) => codeTarget(issuer, row))
  for (const row of rows) targets.push(await refreshTarget(issuer, row))
  return targets
}

export async function sallyportTargets(issuer) {
  const of = { of: 'Sallyport, JWT', state: 'durable', ours: true }
  // It chooses the audience by itself.
  const jwt = { ...of, tokens: 'JWT', kind: { openid: false } }
  const withIds = [WITH_ES256_ID, WITH_ID].map((row) => ({ ...row, ...of, of: `Sallyport, ${row.tokens}` }))
  return [
    ...(await codesAndRefreshes(issuer, [jwt, ...withIds])),
    clientCredentialsTarget(issuer, jwt),
    introspectionTarget(issuer, { ...jwt, of: 'Sallyport, configured clients, JWT', kind: { openid: false, configured: true } }),
    introspectionTarget(issuer, { ...jwt, of: 'Sallyport, registered clients, JWT' }),
  ]
}

const oidcProviderTargets = (state, store, kinds) => async (issuer) => {
  const row = (kind) => ({ ...kind, state, of: `oidc-provider, ${store}, ${kind.tokens}` })
  const rows = kinds.map(row)
  return [
    ...(await codesAndRefreshes(issuer, rows)),
    ...rows.filter(({ idToken }) => !idToken).map((it) => clientCredentialsTarget(issuer, it)),
    // It introspects no JWT.
    introspectionTarget(issuer, row(OPAQUE)),
  ]
}

const openAuthTargets = (state, store) => async (issuer) => {
  const row = { state, of: `OpenAuth, ${store}`, tokens: 'JWT', kind: { openid: false } }
  return [...(await codesAndRefreshes(issuer, [row])), clientCredentialsTarget(issuer, row)]
}

const oauthProviderTargets = (issuer) =>
  codesAndRefreshes(issuer, [{ state: 'KV', of: 'workers-oauth-provider, KV', tokens: 'opaque', kind: { openid: false } }])

async function bareTargets(server) {
  const step = async (connection) => {
    jsonOf(await post(connection, '/bare', { refresh_token: 'x'.repeat(99) }))
    return null
  }
  const run = (seconds) => loop(server.port, Array(CONNECTIONS).fill(null), step, seconds)
  return [{ name: 'bare route', group: GROUP, floor: true, loops: CONNECTIONS, pid: server.pid, run }]
}

const SERVERS = [
  { start: async () => startWorker(await bundles.bare()), targets: bareTargets },
  { start: startSallyport, targets: sallyportTargets },
  {
    start: () => startOidcProvider(sqlite('FULL')),
    targets: oidcProviderTargets('durable', 'SQLite', [OPAQUE, JWT, WITH_ES256_ID, WITH_ID]),
  },
  { start: startOidcProviderOnRedis, targets: oidcProviderTargets('durable', 'Redis', [OPAQUE, JWT, WITH_ID]) },
  { start: () => startOidcProvider(sqlite('NORMAL')), targets: oidcProviderTargets('lax', 'SQLite without flush', [OPAQUE, JWT]) },
  { start: () => startOidcProvider(null), targets: oidcProviderTargets('memory', 'Map', [OPAQUE, JWT, WITH_ID]) },
  { start: () => startOpenAuth(true), targets: openAuthTargets('KV', 'KV') },
  { start: () => startOpenAuth(false), targets: openAuthTargets('memory', 'memory') },
  { start: startOAuthProvider, targets: oauthProviderTargets },
  { start: startWorkerFloors, targets: (server) => workerFloors(server, GROUP) },
  { start: startRowFloor, targets: (server) => rowFloor(server, GROUP) },
  { start: startNodeFloors, targets: (server) => nodeFloors(server, GROUP) },
]

/** An object that nobody asks for 10 s sleeps, and begins anew: a file that grows, a heap to collect. Every row is measured awake. */
const TOUCH_MS = 4000

/** Starts everything, a process each. */
export async function startTargets() {
  const running = []
  const awake = setInterval(() => Promise.all(running.map((server) => server.touch?.())), TOUCH_MS)
  const stop = async () => {
    clearInterval(awake)
    await Promise.all(running.map((server) => server.stop()))
  }
  try {
    const targets = []
    for (const { start, targets: of } of SERVERS) {
      const server = await start()
      if (!server) continue
      running.push(server)
      targets.push(...(await of(server)))
    }
    return { targets, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
