/**
 * Server-side request forgery, black box (OWASP ASVS 5.0, 1.3.6): every URL of test/clients/ssrf-corpus.ts in every field that ends in a
 * fetch by us, against the production bundle, with a stub for the network that counts whatever leaves the Worker and its objects.
 * What src fetches, and nothing else does (the last test here holds that list):
 * - a Client ID Metadata Document: `client_id` at each endpoint of CLIENT_ID (http/oauth/find-client.ts, by fetch-document.ts);
 * - the `jwks_uri` of a client, registered, in a document, or in clients.toml, at `private_key_jwt` (http/oauth/authenticate-client.ts);
 * - the `backchannel_logout_uri` of the same, from the alarm of the Client object (objects/logout-delivery.ts).
 * What these answer is the subject of ssrf-answers.test.ts. Which address a public name leads to is not decided here: no Worker has a
 * resolver, and the runtime's `global_fetch_strictly_public` keeps that.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'
import { FORBIDDEN } from '../clients/ssrf-corpus.ts'
import { type Client, createClient } from '../support/node/http.ts'
import { json, type Outbound, startOutbound } from '../support/node/outbound.ts'
import { app, codeOf, requireStatus } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import {
  asserted,
  CLIENT_ID,
  CONFIGURED,
  eachOf,
  ISSUER,
  KEYS,
  NEVER_FETCHED,
  PRODUCTION,
  registering,
  SECRET_HASH,
  signInTo,
  signOut,
  somebody,
  undelivered,
  until,
} from './fetched-fields.ts'
import { writeFigures } from './figures.ts'
import { sized } from './size.ts'

const CALLBACK = 'https://app.example.com/callback'
const BY_KEY = { token_endpoint_auth_method: 'private_key_jwt', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }
const PUBLIC = { token_endpoint_auth_method: 'none' }
const [key] = KEYS.keys
const CLIENTS_TOML = `
[[client]]
client_id = "${CONFIGURED}"
token_endpoint_auth_method = "none"
redirect_uris = ["${CALLBACK}"]
[[client]]
client_id = "by-key"
token_endpoint_auth_method = "private_key_jwt"
grant_types = ["client_credentials"]
jwks = { keys = [{ kty = "EC", crv = "P-256", x = "${key?.x}", y = "${key?.y}" }] }
[[client]]
client_id = "by-secret"
token_endpoint_auth_method = "client_secret_basic"
grant_types = ["urn:ietf:params:oauth:grant-type:token-exchange"]
client_secret_sha256 = ["${SECRET_HASH}"]
`

let outbound: Outbound
beforeAll(async () => {
  outbound = await startOutbound()
})
afterAll(() => outbound.stop())

type Part = { fields: number; urls: number; permitted: number; outside: number }
const parts = new Map<string, Part>()
afterAll(() =>
  writeFigures(
    'ssrf',
    [...parts].map(([part, { fields, urls, permitted, outside }]) => ({
      what: `${part}: requests that left against the policy`,
      size: `${fields} fields x ${urls} URLs`,
      result: `${outside}; by the policy ${permitted}`,
    })),
  ),
)

/** What has left for one field, by method and URL, in the order of the alphabet; `policy` is what may. */
function leftFor(part: string, policy: readonly string[] = [], { fields = 1, urls = FORBIDDEN.length } = {}): string[] {
  const left = outbound.take().map(({ method, url }) => `${method} ${url}`)
  const outside = left.filter((it) => !policy.includes(it)).length
  const before = parts.get(part) ?? { fields: 0, urls, permitted: 0, outside: 0 }
  const permitted = before.permitted + left.length - outside
  parts.set(part, { urls, fields: before.fields + fields, permitted, outside: before.outside + outside })
  return left.sort()
}

const withToken = async (http: Client, client_id: string, issuer: string) =>
  http.post('/oauth/token', new URLSearchParams({ grant_type: 'client_credentials', ...(await asserted(client_id, issuer)) }))

/** What nobody fetches is tried with each third URL, and with all of them in a long run. */
const FEWER = sized(3, 1)
const some = (share: number) => FORBIDDEN.filter((_, index) => index % share === 0)
const IN_PRODUCTION = 'production, fields that end in a fetch'

describe('in production', () => {
  let server: Server
  let http: Client
  beforeAll(async () => {
    server = await startServer({ outbound: outbound.origin, vars: { ...PRODUCTION, CLIENTS_TOML } })
    http = app(server.origin)
  })
  afterAll(async () => {
    http.close()
    await server.stop()
  })
  afterEach(() => {
    outbound.take()
  })

  test.each(Object.entries(CLIENT_ID))('a client_id of the corpus is refused and fetched by nobody: %s', async (name, ask) => {
    const taken: unknown[] = []
    await eachOf(FORBIDDEN, async (url) => {
      // What one of them had been refused would not be asked for by the next.
      const { status } = await ask(http, url.replace('client.json', `${name}.json`), ISSUER)
      if (status < 400 || status > 499) taken.push([status, url])
    })
    expect([taken, leftFor(IN_PRODUCTION)]).toEqual([[], []])
  })

  test.each([
    ['jwks_uri', BY_KEY],
    ['backchannel_logout_uri', PUBLIC],
  ])('a %s of the corpus cannot be registered, nor take the place of a registered one', async (member, members) => {
    const taken: unknown[] = []
    const good = { ...members, [member]: 'https://keys.example.com/keys.json' }
    const known = requireStatus(await registering(http, good), 201).json
    const manager = { authorization: `Bearer ${known.registration_access_token}` }
    const change = (url: string) =>
      http.put(
        `/oauth/register/${known.client_id}`,
        { ...good, client_id: known.client_id, redirect_uris: [CALLBACK], [member]: url },
        manager,
      )
    await eachOf(FORBIDDEN, async (url) => {
      const replies = [await registering(http, { ...members, [member]: url }), await change(url)]
      if (replies.some(({ status }) => status !== 400)) taken.push([replies.map(({ status }) => status), url])
    })
    expect([taken, leftFor(IN_PRODUCTION)]).toEqual([[], []])
  })

  test.each([
    ['jwks_uri', 1],
    ['backchannel_logout_uri', 1],
    ...['logo_uri', 'redirect_uris', 'post_logout_redirect_uris'].map((member): [string, number] => [member, FEWER]),
  ])('a document that names one of the corpus as its %s is read, and the URL is not', async (member, share) => {
    const taken: unknown[] = []
    const urls = some(share)
    const addresses = urls.map((_, index) => `https://shop.example.com/${member}/${index}.json`)
    await eachOf(urls, async (url, index) => {
      const client_id = addresses[index] ?? ''
      const keys = member === 'jwks_uri' ? { token_endpoint_auth_method: 'private_key_jwt' } : {}
      const value = member.endsWith('uris') ? [url] : url
      outbound.answers.set(client_id, json({ client_id, redirect_uris: ['https://shop.example.com/callback'], ...keys, [member]: value }))
      const ask = member === 'jwks_uri' ? CLIENT_ID['token-by-assertion'] : CLIENT_ID.authorize
      const status = (await ask?.(http, client_id, ISSUER))?.status ?? 0
      if (share === 1 ? ![400, 401].includes(status) : status >= 500) taken.push([status, url])
      outbound.answers.delete(client_id)
    })
    const policy = addresses.map((url) => `GET ${url}`)
    const part = share === 1 ? IN_PRODUCTION : 'production, members of a document that nobody fetches'
    expect([taken, leftFor(part, policy, { urls: urls.length })]).toEqual([[], policy.sort()])
  })

  test('a document that is full of them, in its keys and in members that are not ours, leads nowhere else', async () => {
    const addresses = FORBIDDEN.map((_, index) => `https://shop.example.com/full/${index}.json`)
    const keys = addresses.map((url) => url.replace('.json', '.keys'))
    const proven: unknown[] = []
    await eachOf(FORBIDDEN, async (hostile, index) => {
      const [url, client_id = '', jwks_uri = ''] = [hostile.toWellFormed(), addresses[index], keys[index]]
      const strange = { sector_identifier_uri: url, request_uris: [url], initiate_login_uri: url, signed_jwks_uri: url, jku: url }
      const how = { token_endpoint_auth_method: 'private_key_jwt', jwks_uri, redirect_uris: ['https://shop.example.com/callback'] }
      outbound.answers.set(client_id, json({ client_id, ...how, ...strange }))
      // The key itself would be at x5u: the one that is here is another's.
      const other = { kty: 'EC', crv: 'P-256', x: key?.y, y: key?.x }
      outbound.answers.set(
        jwks_uri,
        json({
          keys: [
            { x5u: url, jku: url },
            { ...other, x5u: url },
          ],
          jwks_uri: url,
          next: url,
        }),
      )
      const proof = await asserted(client_id, ISSUER)
      const { status } = await http.post('/oauth/token', new URLSearchParams({ grant_type: 'authorization_code', code: 'x', ...proof }))
      if (status !== 401) proven.push([status, url])
      for (const it of [client_id, jwks_uri]) outbound.answers.delete(it)
    })
    expect(proven).toEqual([])
    const policy = [...addresses, ...keys].map((url) => `GET ${url}`)
    expect(leftFor(IN_PRODUCTION, policy)).toEqual(policy.sort())
  })

  test.each(Object.entries(NEVER_FETCHED))('a URL of the corpus is not for fetching: %s', async (_, ask) => {
    const faults: unknown[] = []
    const urls = some(FEWER)
    await eachOf(urls, async (url) => {
      const { status } = await ask(http, url, ISSUER)
      if (status >= 500) faults.push([status, url])
    })
    expect([faults, leftFor('production, fields that nobody fetches', [], { urls: urls.length })]).toEqual([[], []])
  })
})

test.each([
  ['jwks_uri', 'token_endpoint_auth_method = "private_key_jwt"', 'https://169.254.169.254/keys.json'],
  ['backchannel_logout_uri', 'token_endpoint_auth_method = "none"', 'http://localhost:9000/bye'],
])('clients.toml with a %s of the corpus is no configuration: nothing is served, nothing is fetched', async (member, method, url) => {
  const text = `[[client]]\nclient_id = "a"\n${method}\nredirect_uris = ["${CALLBACK}"]\n${member} = "${url}"`
  const server = await startServer({ outbound: outbound.origin, vars: { ...PRODUCTION, CLIENTS_TOML: text } })
  const http = app(server.origin)
  try {
    for (const ask of Object.values(CLIENT_ID)) expect(codeOf(await ask(http, 'a', ISSUER))).toBe('misconfigured')
    expect(leftFor('production, clients.toml', [], { urls: 1 })).toEqual([])
  } finally {
    http.close()
    await server.stop()
  }
})

/** The development policy, said another way than the code says it: plain http to loopback, https to a public name, any port, one spelling. */
const inDevelopment = FORBIDDEN.filter((url) => {
  const parts = /^(http|https):\/\/([a-z.\d]+|\[::1\])(?::(\d+))?\/(?!\.\.?\/)[\w/.?=-]*$/.exec(url)
  if (!parts || url.length > 512 || url.includes('/../') || url.includes('/./')) return false
  const [, scheme, host = '', port] = parts
  if (Number(port ?? 0) > 65_535 || /^0\d/.test(port ?? '') || port === (scheme === 'http' ? '80' : '443')) return false
  return scheme === 'http' ? ['localhost', '127.0.0.1', '[::1]'].includes(host) : ['shop.example.com', 'auth.example.com'].includes(host)
})

describe('in development', () => {
  /** A document is no origin: it has a path. */
  const documents = inDevelopment.filter((url) => new URL(url).pathname !== '/')
  let server: Server
  let http: Client
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'sallyport-ssrf-'))
    server = await startServer({ outbound: outbound.origin, persist: directory })
    http = app(server.origin)
  })
  afterAll(async () => {
    http.close()
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  })

  test('a client_id of the corpus leads to loopback by plain http, to a public host by https, and nowhere else', async () => {
    const places = Object.values(CLIENT_ID)
    await eachOf(FORBIDDEN, async (url, index) => places[index % places.length]?.(http, url, server.origin))
    expect(documents.length).toBeGreaterThan(9)
    // A refusal is kept for 30 seconds: each is asked once.
    const policy = documents.map((url) => `GET ${url}`)
    expect(leftFor('development', policy)).toEqual(policy.sort())
    for (const own of [server.origin, server.origin.replace('localhost', '127.0.0.1'), server.origin.replace('localhost', '[::1]')]) {
      for (const ask of Object.values(CLIENT_ID)) expect((await ask(http, `${own}/client.json`, server.origin)).status).toBeLessThan(500)
    }
    expect(leftFor('development, our own address', [], { fields: places.length, urls: 3 })).toEqual([])
  })

  test('the same may be registered, and is fetched by development alone: production judges what is stored again', async () => {
    const stored = inDevelopment
    // What was kept of their answers is gone with the isolate.
    await server.restart()
    const told: string[] = []
    const keyed: string[] = []
    const refused = await registerAll(told, keyed)
    expect(refused).toBe(2 * (FORBIDDEN.length - stored.length))
    expect([told.length, keyed.length]).toEqual([stored.length, stored.length])
    const people = await Promise.all(['before', 'after'].map((name) => somebody(server, name, server.origin)))
    for (const person of people) for (const client_id of told) await signInTo(http, person, client_id, CALLBACK)
    const [before, after] = people
    if (!before || !after) throw new Error('nobody')

    await eachOf(keyed, (client_id) => withToken(http, client_id, server.origin))
    await signOut(before, server.origin)
    await until(() => new Set(undelivered(server).map(({ client_id }) => client_id)).size === stored.length)
    const both = ['GET', 'POST'].flatMap((method) => stored.map((url) => `${method} ${url}`))
    expect([...new Set(leftFor('development', both, { fields: 2 }))]).toEqual(both.sort())

    await inProduction(keyed, after)
  })

  async function registerAll(told: string[], keyed: string[]): Promise<number> {
    let refused = 0
    await eachOf(FORBIDDEN, async (url) => {
      const [keys, logout] = [
        await registering(http, { ...BY_KEY, jwks_uri: url }),
        await registering(http, { ...PUBLIC, backchannel_logout_uri: url }),
      ]
      if (keys.status === 201) keyed.push(keys.json.client_id)
      else refused += 1
      if (logout.status === 201) told.push(logout.json.client_id)
      else refused += 1
    })
    return refused
  }

  /** Where development may go and production may not: all of them but none. */
  async function inProduction(keyed: string[], person: Client): Promise<void> {
    const { SALLYPORT_SECRET = '', ADMIN_TOKEN = '' } = server.vars
    await server.stop()
    outbound.take()
    const vars = { ...PRODUCTION, SALLYPORT_SECRET, ADMIN_TOKEN }
    const next = await startServer({ outbound: outbound.origin, persist: directory, vars })
    const nextHttp = app(next.origin)
    const same = { ...createClient(next.origin, person.cookies), origin: ISSUER }
    try {
      const statuses: number[] = []
      await eachOf(keyed, async (client_id) => statuses.push((await withToken(nextHttp, client_id, ISSUER)).status))
      expect(new Set(statuses)).toEqual(new Set([401]))
      await signOut(same)
      await until(() => new Set(undelivered(next).map(({ client_id }) => client_id)).size === keyed.length)
      expect(undelivered(next).filter(({ reason }) => !reason.startsWith('the address must'))).toEqual([])
      expect(leftFor('production, stored by development', [], { fields: 2, urls: keyed.length })).toEqual([])
    } finally {
      for (const client of [nextHttp, same]) client.close()
      await next.stop()
    }
  }
})

test('src fetches in the places that this file names, and opens no socket', async () => {
  const files = (await readdir(path.join(ROOT, 'src'), { recursive: true })).filter((file) => /(?<!\.d)\.tsx?$/.test(file))
  const found: string[] = []
  // The operator's command line and the browser's half of the SDK run elsewhere.
  for (const file of files.filter((name) => !/^(?:cli|sdk\/browser)\//.test(name))) {
    const code = (await readFile(path.join(ROOT, 'src', file), 'utf8')).replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '')
    if (/cloudflare:sockets|node:(?:net|tls|https?|http2|dgram|dns)\b|new (?:WebSocket|EventSource)\b/.test(code))
      found.push(`${file}: a socket`)
    if (/(?<![.\w]|override )fetch\(|(?:globalThis|self)\.fetch\b/.test(code)) found.push(file)
  }
  // The SDK's own for other people's servers: here its verifier has a binding in place of them (http/services.ts).
  const sdk = ['sdk/verifier-options.ts', 'sdk/websocket.ts: a socket']
  expect(found.sort()).toEqual(['http/services.ts', 'objects/logout-delivery.ts', ...sdk])
})
