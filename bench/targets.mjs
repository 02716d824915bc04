// What is measured. A target answers `run(seconds)`: the requests answered in that time, those that failed, the median latency.
import { createHash, randomBytes } from 'node:crypto'
import * as bundles from './bundles.mjs'
import { CONNECTIONS, Connection, each, jsonOf, loop, repeat } from './client.mjs'
import { accessToken, peopleAt, post, refresh, signIn } from './people.mjs'
import { startProduct, startWorker } from './server.mjs'

/**
 * @typedef {{ count: number, failed: number, reason?: string, p50Ms: number }} Run
 * @typedef {{ name: string, group: 'GET' | 'POST', floor?: boolean, peer?: boolean, leadIn?: boolean, loops: number, ready?: () => Promise<void>, pid: number,
 *   run: (seconds: number) => Promise<Run> }} Target
 */

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }
const postForm = (connection, path, fields) => connection.request('POST', path, FORM_TYPE, new URLSearchParams(fields).toString())

/** More waits in the hash queue (64) than these loops put there would be refused, and measure refusals. */
const HASHED_LOOPS = 4
/** So many accounts a loop signs in to in turn, so that none of them gathers thousands of sessions. */
const PEOPLE_EACH = 4
/** Accounts that are left alone for longer than an object stays awake, then refreshed once each. */
const SLEEPERS = 256
const ASLEEP_MS = 12_000

async function bareTargets(server) {
  const body = { refresh_token: 'x'.repeat(99) }
  return [
    { name: 'bare route (GET)', group: 'GET', floor: true, ...at(server), run: (seconds) => repeat(server.port, '/bare', {}, seconds) },
    {
      name: 'bare route (POST)',
      group: 'POST',
      floor: true,
      ...at(server),
      run: loops(server, Array(CONNECTIONS).fill(null), async (connection) => {
        jsonOf(await post(connection, '/bare', body))
        return null
      }),
    },
  ]
}

const at = ({ pid }) => ({ pid, loops: CONNECTIONS })
const loops = (server, states, step) => (seconds) => loop(server.port, states, step, seconds)

/** A token lives for 5 minutes: each run has a new one, seen for the first time in its first request. */
function bearerTarget(server, person, freshness) {
  async function run(seconds) {
    const connection = await Connection.open(server.port)
    const authorization = `Bearer ${await accessToken(connection, person)}`
    connection.close()
    return repeat(server.port, `/api/demo/${freshness}`, { authorization }, seconds)
  }
  return { name: freshness, group: 'GET', ...at(server), run }
}

/** A family of tokens for each person; answers their newest refresh tokens. */
async function familiesOf(server, people) {
  const connection = await Connection.open(server.port)
  const families = []
  for (const owner of people) families.push(jsonOf(await signIn(connection, owner, 'tokens')).refresh_token)
  connection.close()
  return families
}

async function signInOnce(connection, person) {
  jsonOf(await signIn(connection, person))
  return person
}

async function productTargets(server) {
  const people = await peopleAt(server.port, CONNECTIONS)
  const [person] = people
  const families = await familiesOf(server, people)
  const cookie = { cookie: `__Host-session=${person.session}` }
  return [
    { name: 'unprotected, same Worker', group: 'GET', ...at(server), run: (seconds) => repeat(server.port, '/health', {}, seconds) },
    ...['offline', 'fresh', 'live'].map((freshness) => bearerTarget(server, person, freshness)),
    { name: 'cookie', group: 'GET', ...at(server), run: (seconds) => repeat(server.port, '/api/demo/session', cookie, seconds) },
    { name: 'refresh', group: 'POST', leadIn: true, ...at(server), run: loops(server, families, refresh) },
    { name: 'sign-in', group: 'POST', ...at(server), loops: HASHED_LOOPS, run: loops(server, people.slice(0, HASHED_LOOPS), signInOnce) },
  ]
}

async function withoutHashTargets(server) {
  const people = await peopleAt(server.port, CONNECTIONS * PEOPLE_EACH)
  const queues = Array.from({ length: CONNECTIONS }, (_, index) => people.slice(index * PEOPLE_EACH, (index + 1) * PEOPLE_EACH))
  const step = async (connection, [next, ...others]) => [...others, await signInOnce(connection, next)]
  // A second is not enough to wake so many.
  const awake = () => each(server.port, people, signInOnce)
  const families = await familiesOf(server, await peopleAt(server.port, SLEEPERS))
  let wokenMs = performance.now()
  const ready = () => new Promise((resolve) => setTimeout(resolve, Math.max(0, wokenMs + ASLEEP_MS - performance.now())))
  const wake = async () => {
    const run = await each(server.port, families, refresh)
    wokenMs = performance.now()
    return run
  }
  return [
    { name: 'refresh, object asleep', group: 'POST', ...at(server), ready, run: wake },
    { name: 'sign-in, hash answered at once', group: 'POST', ...at(server), ready: awake, run: loops(server, queues, step) },
  ]
}

async function byHandTargets(server) {
  const states = Array.from({ length: CONNECTIONS }, (_, index) => `row-${index}`)
  const step = async (connection, refresh_token) => jsonOf(await post(connection, '/refresh', { refresh_token })).refresh_token
  return [{ name: 'by hand: one row, one signature', group: 'POST', leadIn: true, ...at(server), run: loops(server, states, step) }]
}

async function openAuthTargets(server) {
  const connection = await Connection.open(server.port)
  const client = { grant_type: 'client_credentials', provider: 'service', client_id: 'web', client_secret: 'x' }
  const states = []
  for (let made = 0; made < CONNECTIONS; made++) states.push(jsonOf(await postForm(connection, '/token', client)).refresh_token)
  connection.close()
  const step = async (connection, refresh_token) =>
    jsonOf(await postForm(connection, '/token', { grant_type: 'refresh_token', refresh_token })).refresh_token
  return [{ name: 'OpenAuth on KV, refresh', group: 'POST', peer: true, leadIn: true, ...at(server), run: loops(server, states, step) }]
}

async function oauthProviderTargets(server) {
  const connection = await Connection.open(server.port)
  const { clientId: client_id, clientSecret: client_secret } = jsonOf(await connection.request('POST', '/setup', {}, ''))
  const client = { client_id, client_secret }
  const states = []
  for (let made = 0; made < CONNECTIONS; made++) states.push(await authorized(connection, client, `user-${made}`))
  connection.close()
  const step = async (connection, refresh_token) =>
    jsonOf(await postForm(connection, '/token', { grant_type: 'refresh_token', refresh_token, ...client })).refresh_token
  return [
    {
      name: 'workers-oauth-provider on KV, refresh',
      group: 'POST',
      peer: true,
      leadIn: true,
      ...at(server),
      run: loops(server, states, step),
    },
  ]
}

/** One person's authorization code, exchanged; answers the refresh token. */
async function authorized(connection, client, user) {
  const code_verifier = randomBytes(32).toString('base64url')
  const redirect_uri = 'https://client.example.test/cb'
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri,
    scope: 'openid profile',
    state: 'state',
    code_challenge: createHash('sha256').update(code_verifier).digest('base64url'),
    code_challenge_method: 'S256',
    user,
  })
  const { redirectTo } = jsonOf(await connection.request('GET', `/authorize?${query}`))
  const code = new URL(redirectTo).searchParams.get('code') ?? ''
  const exchange = { grant_type: 'authorization_code', code, code_verifier, redirect_uri, ...client }
  return jsonOf(await postForm(connection, '/token', exchange)).refresh_token
}

const peer = (name, more) => async () => startWorker(await bundles.peer(name), more)

const SERVERS = [
  { start: async () => startWorker(await bundles.bare()), targets: bareTargets },
  { start: async () => startProduct(await bundles.product()), targets: productTargets },
  { start: async () => startProduct(await bundles.withoutHash()), targets: withoutHashTargets },
  { start: peer('by-hand', () => ({ durableObjects: { ROW: { className: 'Row', useSQLite: true } } })), targets: byHandTargets },
  { start: peer('openauth', () => ({ kvNamespaces: ['KV'] })), targets: openAuthTargets },
  {
    // It compares a request's origin with the one that it was told.
    start: peer('workers-oauth-provider', (port) => ({
      kvNamespaces: ['OAUTH_KV'],
      bindings: { ORIGIN: `http://127.0.0.1:${port}` },
    })),
    targets: oauthProviderTargets,
  },
]

/**
 * Starts everything, one workerd each. Answers the targets and how to stop it all.
 * @returns {Promise<{ targets: Target[], stop: () => Promise<void> }>}
 */
export async function startTargets(peers) {
  const running = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
  }
  try {
    const targets = []
    for (const { start, targets: of } of peers ? SERVERS : SERVERS.slice(0, 4)) {
      const server = await start()
      running.push(server)
      targets.push(...(await of(server)))
    }
    return { targets, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
