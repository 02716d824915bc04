// The routes of Workers that are timed: Sallyport's SDK in an API, its own demonstration route, and its peers, each in a workerd of its own.
import { createHash, randomBytes } from 'node:crypto'
import path from 'node:path'
import * as bundles from '../bundles.mjs'
import { CONNECTIONS, Connection, cookieOf, jsonOf, repeat } from '../client.mjs'
import { accessToken, peopleAt } from '../people.mjs'
import { startWorker, VARS } from '../server.mjs'
import { eachDistinct, eachTheSame } from './loads.mjs'
import { startPair } from './servers.mjs'
import { es256Token, hs256Token, JWKS, SECRET } from './tokens.mjs'

export const worker = (name) => path.join(import.meta.dirname, 'workers', `${name}.js`)
const bundle = (name) => bundles.bundle(`sdk-${name}`, worker(name))

const of = ({ pid }) => ({ group: 'workerd', loops: CONNECTIONS, pid })
/** Runs of a target in each round, where targets lie close together. */
const FRESH = { slices: 3 }
const FIRST_SIGHT = { slices: 2 }
const bearer = (token) => ({ authorization: `Bearer ${token}` })

async function bare() {
  const server = await startWorker(await bundles.bare())
  return {
    server,
    targets: [
      { name: 'bare Hono route', floor: true, ...of(server), run: (seconds) => repeat(server.port, '/bare', {}, seconds) },
      { name: 'bare Hono route, with a token', ...of(server), ...FRESH, ...eachTheSame(server.port, '/bare', JWT) },
    ],
  }
}

/** A token lives for 5 minutes: each run has a new one, seen for the first time in its first request. */
async function sallyport() {
  const server = await startPair({ product: await bundles.product(), api: await bundle('api'), bindings: { JWKS } })
  const [person] = await peopleAt(server.port, 1)
  const repeated = (name, port, route, more = {}) => ({
    name,
    ...of(server),
    ...more,
    ...eachTheSame(port, route, async () => {
      const connection = await Connection.open(server.port)
      const token = await accessToken(connection, person)
      connection.close()
      return bearer(token)
    }),
  })
  const { port, apiPort } = server
  const firstSight = (name, port, route) => ({
    name,
    ...of(server),
    ...FIRST_SIGHT,
    ...eachDistinct(port, route, () => es256Token('at+jwt')),
  })
  const targets = [
    repeated('SDK, offline', apiPort, '/offline'),
    repeated('SDK, fresh', apiPort, '/fresh', FRESH),
    repeated('SDK, fresh, one handler', apiPort, '/fresh/one', FRESH),
    repeated('SDK, live', apiPort, '/live'),
    repeated('SDK, live, sallyport/accounts', apiPort, '/live-direct'),
    firstSight('SDK, fresh, first sight (ES256)', apiPort, '/first-sight'),
    firstSight('SDK, fresh, first sight (ES256), one handler', apiPort, '/first-sight/one'),
    repeated("Sallyport's own /api/demo/fresh", port, '/api/demo/fresh'),
    repeated("Sallyport's own /api/demo/live", port, '/api/demo/live'),
  ]
  return { server, targets }
}

/**
 * A peer that answers at `/`; `headersFor` makes a credential for each run. With `once` it has a second row, in which each token of the
 * bench's comes once.
 */
async function peer(name, { from, more = {}, headersFor, prepare, once = false }) {
  const server = await startWorker(await bundle(from), () => more)
  const connection = await Connection.open(server.port)
  const held = await prepare?.(connection)
  connection.close()
  const targets = [{ name, peer: true, ...of(server), ...eachTheSame(server.port, '/', () => headersFor(held, server.port)) }]
  if (once)
    targets.push({
      name: `${name}, each token once`,
      peer: true,
      ...of(server),
      ...FIRST_SIGHT,
      ...eachDistinct(server.port, '/', es256Token),
    })
  return { server, targets }
}

const JWT = () => bearer(es256Token())

/** What Hono takes for there being a middleware at all. */
async function empty() {
  const server = await startWorker(await bundle('empty'))
  const name = 'bare route behind an empty middleware, with a token'
  return { server, targets: [{ name, ...of(server), ...FRESH, ...eachTheSame(server.port, '/', JWT) }] }
}

/** The least that remembering tokens costs: written by hand, no verifier. */
async function byHand() {
  const server = await startWorker(await bundle('floor'))
  const kept = async () => {
    const headers = JWT()
    const connection = await Connection.open(server.port)
    jsonOf(await connection.request('POST', '/keep', headers, ''))
    connection.close()
    return headers
  }
  const floor = (name, route) => ({ name, ...of(server), ...FRESH, ...eachTheSame(server.port, route, kept) })
  return { server, targets: [floor('by hand: header', '/header'), floor('by hand: header, Map, c.set', '/map')] }
}

async function betterAuthCookie(connection) {
  const person = { email: 'someone@example.test', password: 'correct horse battery', name: 'Some One' }
  const headers = { 'content-type': 'application/json', origin: 'http://127.0.0.1' }
  const reply = await connection.request('POST', '/api/auth/sign-up/email', headers, JSON.stringify(person))
  jsonOf(reply)
  const names = ['better-auth.session_token', 'better-auth.session_data'].filter((name) => cookieOf(reply, name))
  return { cookie: names.map((name) => `${name}=${cookieOf(reply, name)}`).join('; ') }
}

async function openAuthToken(port) {
  const connection = await Connection.open(port)
  const form = new URLSearchParams({ grant_type: 'client_credentials', provider: 'service', client_id: 'web', client_secret: 'x' })
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const { access_token } = jsonOf(await connection.request('POST', '/token', type, form.toString()))
  connection.close()
  return bearer(access_token)
}

const issuedBy = (keys) => ({ more: { bindings: { ...keys, ISSUER: VARS.ISSUER } } })
const hono = (MODE, JWKS_URL) => ({ from: 'hono-jwk', ...issuedBy({ MODE, JWKS, JWKS_URL, SECRET }) })
const better = (CACHE) => ({
  from: 'better-auth',
  more: { bindings: { SECRET, CACHE } },
  prepare: betterAuthCookie,
  headersFor: (cookie) => cookie,
})

const objectCall = {
  from: 'object',
  more: {
    durableObjects: { SESSION: { className: 'Session', useSQLite: true } },
    serviceBindings: { SESSIONS: { name: 'worker', entrypoint: 'Sessions' } },
  },
  prepare: async (connection) => jsonOf(await connection.request('POST', '/begin', {}, '')),
  headersFor: () => ({ cookie: 'one' }),
}

/** A call to an object, and one over a service binding: the least that `live` costs each way. */
async function objectCalls() {
  const { server, targets } = await peer('one object call (SQL)', objectCall)
  const overRpc = {
    name: 'by hand: an RPC hop and one object call',
    ...of(server),
    ...eachTheSame(server.port, '/rpc', objectCall.headersFor),
  }
  return { server, targets: [...targets, overRpc] }
}

/** workers-oauth-provider reads its token from KV; /setup and /authorize are the bench's own doors. */
async function oauthProvider() {
  let origin
  const server = await startWorker(await bundles.peer('workers-oauth-provider'), (port) => {
    origin = `http://127.0.0.1:${port}`
    return { kvNamespaces: ['OAUTH_KV'], bindings: { ORIGIN: origin } }
  })
  const headers = bearer(await codeFlowToken(origin))
  const name = 'workers-oauth-provider, KV'
  return { server, targets: [{ name, peer: true, ...of(server), ...eachTheSame(server.port, '/me', () => headers) }] }
}

async function codeFlowToken(origin) {
  const ask = async (route, init) => (await fetch(origin + route, init)).json()
  const { clientId: client_id, clientSecret: client_secret } = await ask('/setup', { method: 'POST' })
  const code_verifier = randomBytes(32).toString('base64url')
  const code_challenge = createHash('sha256').update(code_verifier).digest('base64url')
  const redirect_uri = 'https://client.example.test/cb'
  const request = { response_type: 'code', client_id, redirect_uri, scope: 'openid', state: 'state', code_challenge, user: 'one' }
  const { redirectTo } = await ask(`/authorize?${new URLSearchParams({ ...request, code_challenge_method: 'S256' })}`)
  const code = new URL(redirectTo).searchParams.get('code')
  const grant = { grant_type: 'authorization_code', code, code_verifier, redirect_uri, client_id, client_secret }
  return (await ask('/token', { method: 'POST', body: new URLSearchParams(grant) })).access_token
}

/** What is started, one after the other; `jwksUrl` is where the peers fetch keys. */
const SERVERS = (jwksUrl) => [
  bare,
  empty,
  byHand,
  sallyport,
  () => peer('jose, remote JWKS, ES256', { from: 'jose', ...issuedBy({ JWKS_URL: jwksUrl }), headersFor: JWT, once: true }),
  () => peer('hono/jwk, keys given, ES256', { ...hono('keys', jwksUrl), headersFor: JWT, once: true }),
  () => peer('hono/jwk, jwks_uri, ES256', { ...hono('uri', jwksUrl), headersFor: JWT }),
  () => peer('hono/jwt, HS256', { ...hono('secret', jwksUrl), headersFor: () => bearer(hs256Token()) }),
  () => peer('ES256 by hand, nothing else checked', { from: 'hand', ...issuedBy({ JWKS }), headersFor: JWT, once: true }),
  objectCalls,
  () => peer('better-auth, memory', better(false)),
  () => peer('better-auth, memory, cookie cache', better(true)),
  () => peer('OpenAuth verify, memory', { from: 'openauth', headersFor: (_, port) => openAuthToken(port) }),
  oauthProvider,
]

/**
 * Starts everything, a workerd each. Answers the targets, Sallyport's own server, and how to stop it all.
 * @param {(line: string) => void} say
 */
export async function startWorkerTargets(jwksUrl, say) {
  const running = []
  const stop = async () => {
    await Promise.all(running.map((server) => server.stop()))
  }
  try {
    const targets = []
    let product
    for (const start of SERVERS(jwksUrl)) {
      const { server, targets: of } = await start()
      running.push(server)
      targets.push(...of)
      if ('apiPort' in server) product = server
    }
    say(`${running.length} workerd run.`)
    return { targets, product, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
