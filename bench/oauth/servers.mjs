// The servers that give tokens, each with its own way to make authorization codes beforehand. What they share is an `Issuer`.
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { NODE } from '../../scripts/toolchain.mjs'
import * as bundles from '../bundles.mjs'
import { Connection, cookieOf, each, jsonOf } from '../client.mjs'
import { peopleAt, post } from '../people.mjs'
import { REDIS_VERSION, startRedis } from '../redis.mjs'
import { startProduct, startWorker, VARS } from '../server.mjs'
import {
  authorizationQuery,
  basic,
  CALLBACK,
  CONFIGURED_API,
  CONFIGURED_APP,
  codeIn,
  locationOf,
  PUBLIC,
  PUBLIC_ES256,
  pkce,
  SERVICE,
} from './flows.mjs'

/**
 * @typedef {{ fields: Record<string, string>, headers?: Record<string, string>, openid: boolean }} Redemption what a client posts
 * @typedef {{ port: number, pid: number, token: string, introspection?: string, service?: { headers?: object, fields?: object }, api?: { headers: object },
 *   makeCodes: (count: number, kind: { resource?: string, openid: boolean, es256?: boolean, confidential?: boolean, configured?: boolean }) => Promise<Redemption[]>,
 *   beside?: number[], touch?: () => Promise<void>, stop: () => Promise<void> }} Issuer `touch` asks each of its objects for something, so that none falls asleep
 */

/** Accounts that share the codes of a run. */
const PEOPLE = 64

const scopeOf = ({ openid }) => (openid ? 'openid offline_access api' : 'api')

/** `count` codes, made on several connections; `make` answers the code. */
async function manyCodes(port, count, openid, client, make) {
  const asked = Array.from({ length: count }, (_, index) => ({ index, ...pkce() }))
  const made = [...asked]
  const { failed, reason } = await each(port, made, make)
  if (failed) throw new Error(`no codes: ${reason}`)
  const { client_id, headers } = client
  return asked.map(({ code_verifier }, index) => ({
    fields: { code: made[index], code_verifier, ...(headers ? {} : { client_id }) },
    headers,
    openid,
  }))
}

async function register(connection, token, metadata) {
  const body = { redirect_uris: [CALLBACK], client_name: 'Bench', ...metadata }
  return jsonOf(await post(connection, '/oauth/register', body, { authorization: `Bearer ${token}` }))
}

const cookieHeader = ({ session }) => ({ cookie: `__Host-session=${session}` })

/** A signed-in person's way: the consent page the first time, straight back from then on. */
async function allow(connection, person, query) {
  const cookie = cookieHeader(person)
  const asked = await connection.request('GET', `/oauth/authorize?${query}`, cookie)
  if (asked.status === 303) return codeIn(locationOf(asked))
  const interaction = /name="interaction"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="interaction"/.exec(asked.text)
  if (!interaction) throw new Error(`${asked.status} is no consent page: ${asked.text.slice(0, 300)}`)
  const headers = { ...cookie, origin: VARS.ISSUER, 'content-type': 'application/x-www-form-urlencoded' }
  const body = new URLSearchParams({ interaction: interaction[1] ?? interaction[2], decision: 'allow' }).toString()
  return codeIn(locationOf(await connection.request('POST', '/consent', headers, body)))
}

const API_SECRET = randomBytes(32).toString('base64url')

/** What an operator writes for an API that asks about tokens, and for an app of his own. */
const CLIENTS_TOML = `
[[client]]
client_id = "${CONFIGURED_APP}"
redirect_uris = ["${CALLBACK}"]
token_endpoint_auth_method = "none"

[[client]]
client_id = "${CONFIGURED_API}"
grant_types = ["client_credentials"]
response_types = []
token_endpoint_auth_method = "client_secret_basic"
client_secret_sha256 = ["${createHash('sha256').update(API_SECRET).digest('base64url')}"]
serves = ["${VARS.ISSUER}"]
`

/** Beyond the variables of every product that the bench starts. */
export const OAUTH_VARS = { SCOPES: 'api', INITIAL_ACCESS_TOKEN: randomBytes(32).toString('base64url'), CLIENTS_TOML }

/** @returns {Promise<Issuer>} */
export async function startSallyport() {
  return sallyportAt(await startProduct(await bundles.product(), OAUTH_VARS))
}

/** The clients and the people of a product that runs with OAUTH_VARS. @returns {Promise<Issuer>} */
export async function sallyportAt(server) {
  const { INITIAL_ACCESS_TOKEN } = OAUTH_VARS
  const people = await peopleAt(server.port, PEOPLE)
  const connection = await Connection.open(server.port)
  const open = await register(connection, INITIAL_ACCESS_TOKEN, { token_endpoint_auth_method: 'none' })
  const es256Metadata = { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256' }
  const openEs256 = await register(connection, INITIAL_ACCESS_TOKEN, es256Metadata)
  const service = await register(connection, INITIAL_ACCESS_TOKEN, {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  })
  connection.close()
  const headers = basic(service.client_id, service.client_secret)
  return {
    ...server,
    token: '/oauth/token',
    introspection: '/oauth/introspect',
    service: { headers, fields: { scope: 'api' } },
    api: { headers: basic(CONFIGURED_API, API_SECRET) },
    touch: () =>
      each(server.port, people.map(cookieHeader), async (on, headers) => jsonOf(await on.request('GET', '/api/session', headers))),
    makeCodes(count, { openid, es256, confidential, configured }) {
      const { client_id } = es256 ? openEs256 : open
      const registered = confidential ? { client_id: service.client_id, headers } : { client_id }
      const client = configured ? { client_id: CONFIGURED_APP } : registered
      return manyCodes(server.port, count, openid, client, (on, { index, code_challenge }) =>
        allow(on, people[index % PEOPLE], authorizationQuery({ client_id: client.client_id, code_challenge, scope: scopeOf({ openid }) })),
      )
    },
  }
}

/** With a Redis of its own, whose CPU counts as its own; null where there is none. @returns {Promise<Issuer | null>} */
export async function startOidcProviderOnRedis() {
  if (REDIS_VERSION === null) return null
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  const redis = await startRedis(directory)
  const issuer = await startOidcProvider(() => ({ redis: redis.url }))
  const stop = async () => {
    await issuer.stop()
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  }
  return { ...issuer, beside: [redis.pid], stop }
}

/** In a file; FULL or NORMAL (sqlite-adapter.mjs). */
export const sqlite = (synchronous) => (directory) => ({ file: path.join(directory, 'provider.sqlite'), synchronous })

/** On Node. `stateIn`: where its state is, in a directory of its own; null: a Map. @returns {Promise<Issuer>} */
export async function startOidcProvider(stateIn) {
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  const secret = randomBytes(32).toString('base64url')
  const child = fork(path.join(import.meta.dirname, 'node', 'oidc-provider.mjs'), { execPath: NODE, execArgv: ['--no-warnings'] })
  child.send({ state: stateIn?.(directory), secret })
  const [{ port }] = await once(child, 'message')
  const headers = basic(SERVICE, secret)
  return {
    ...{ port, pid: child.pid },
    token: '/token',
    introspection: '/token/introspection',
    service: { headers, fields: { scope: 'api' } },
    async makeCodes(count, { resource, openid, es256, confidential }) {
      const open = es256 ? PUBLIC_ES256 : PUBLIC
      const clientId = confidential ? SERVICE : open
      const proofs = Array.from({ length: count }, pkce)
      const asked = proofs.map(({ code_challenge }, index) => {
        const accountId = `person-${index % PEOPLE}`
        return { ...{ accountId, clientId, resource }, scope: scopeOf({ openid }), codeChallenge: code_challenge }
      })
      const connection = await Connection.open(port)
      const codes = jsonOf(await post(connection, '/bench/codes', asked))
      connection.close()
      return codes.map((code, index) => ({
        fields: { code, code_verifier: proofs[index].code_verifier, resource, ...(confidential ? {} : { client_id: clientId }) },
        headers: confidential ? headers : undefined,
        openid,
      }))
    },
    async stop() {
      const ended = once(child, 'exit')
      child.disconnect()
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** On workerd. `durable`: KV, else in memory. @returns {Promise<Issuer>} */
export async function startOpenAuth(durable) {
  const server = await startWorker(await bundles.peer('openauth'), () => (durable ? { kvNamespaces: ['KV'] } : {}))
  return {
    ...server,
    token: '/token',
    // It has no registry of clients: any id is one.
    service: { fields: { provider: 'service', client_id: SERVICE, client_secret: 'secret' } },
    makeCodes(count) {
      return manyCodes(server.port, count, false, { client_id: PUBLIC }, async (on, { code_challenge }) => {
        const query = authorizationQuery({ client_id: PUBLIC, code_challenge, provider: 'at-once' })
        const asked = await on.request('GET', `/authorize?${query}`)
        const cookie = `authorization=${cookieOf(asked, 'authorization')}`
        for (let tries = 1; ; tries++) {
          const answered = locationOf(await on.request('GET', locationOf(asked), { cookie }))
          // Its codes live for 60 s, KV's own minimum: where the clock ticks in between, KV refuses them.
          if (tries === 5 || !answered.includes('expiration_ttl')) return codeIn(answered)
        }
      })
    },
  }
}

/** On workerd, on KV. @returns {Promise<Issuer>} */
export async function startOAuthProvider() {
  const server = await startWorker(await bundles.peer('workers-oauth-provider'), (port) => ({
    kvNamespaces: ['OAUTH_KV'],
    // It compares a request's origin with the one that it was told.
    bindings: { ORIGIN: `http://127.0.0.1:${port}` },
  }))
  const connection = await Connection.open(server.port)
  const { clientId: client_id } = jsonOf(await connection.request('POST', '/setup?method=none', {}, ''))
  connection.close()
  return {
    ...server,
    token: '/token',
    makeCodes(count) {
      return manyCodes(server.port, count, false, { client_id }, async (on, { index, code_challenge }) => {
        const query = authorizationQuery({ client_id, code_challenge, scope: 'openid profile', user: `person-${index % PEOPLE}` })
        return codeIn(jsonOf(await on.request('GET', `/authorize?${query}`)).redirectTo)
      })
    },
  }
}
