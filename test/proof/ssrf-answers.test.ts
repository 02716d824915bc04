/**
 * The other half of ssrf.test.ts: what is fetched is fetched just as documented, so that the stub does see it, and nothing that is answered
 * there leads any further.
 */
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ALLOWED } from '../clients/ssrf-corpus.ts'
import type { Client } from '../support/node/http.ts'
import { json, type Left, type Outbound, startOutbound } from '../support/node/outbound.ts'
import { app, claimsOf, requireStatus } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import {
  asserted,
  CLIENT_ID,
  ISSUER,
  KEYS,
  PRODUCTION,
  registering,
  signInTo,
  signOut,
  somebody,
  undelivered,
  until,
} from './fetched-fields.ts'

const CALLBACK = 'https://app.example.com/callback'
const CLIENTS_TOML = `
[[client]]
client_id = "toml-keys"
token_endpoint_auth_method = "private_key_jwt"
redirect_uris = ["${CALLBACK}"]
jwks_uri = "https://keys.example.com/toml.json"
[[client]]
client_id = "toml-told"
token_endpoint_auth_method = "none"
redirect_uris = ["${CALLBACK}"]
backchannel_logout_uri = "https://app.example.com/toml-bye"
`

let outbound: Outbound
let server: Server
let http: Client
beforeAll(async () => {
  outbound = await startOutbound()
  server = await startServer({ outbound: outbound.origin, vars: { ...PRODUCTION, CLIENTS_TOML } })
  http = app(server.origin)
})
afterAll(async () => {
  http.close()
  await server.stop()
  await outbound.stop()
})
beforeEach(() => {
  outbound.take()
})

/** Addresses whose notices did not arrive: they are brought again for a day, and have been counted. */
const retried = new Set<string>()
const taken = () => outbound.take().filter(({ url }) => !retried.has(url))

/** The public addresses of the corpus, with a path of one's own. */
const allowed = (name: string) => ALLOWED.map((url) => url.replace('client.json', name))
const callbackOf = (client_id: string) => `${new URL(client_id).origin}/callback`
const documentOf = (client_id: string, members: object = {}) => json({ client_id, redirect_uris: [callbackOf(client_id)], ...members })
const BY_KEY = { token_endpoint_auth_method: 'private_key_jwt' }

/** `invalid_grant` when the client has proven itself: the code is wrong. */
const prove = async (client_id: string): Promise<string> => {
  const fields = { grant_type: 'authorization_code', code: 'x', ...(await asserted(client_id, ISSUER)) }
  return String((await http.post('/oauth/token', new URLSearchParams(fields))).json.error)
}

const registered = async (members: object) => requireStatus(await registering(http, members), 201).json.client_id

/** All that goes along with a GET. */
const GET = { method: 'GET', headers: { accept: 'application/json' }, body: '' }
const sorted = (left: readonly Left[]) => [...left].sort((a, b) => (a.url < b.url ? -1 : 1))
const gets = (urls: readonly string[]) => sorted(urls.map((url) => ({ url, ...GET })))

describe('a public address is asked for just once, with nothing of ours', () => {
  test.each(Object.entries(CLIENT_ID))('as a client_id: %s', async (name, ask) => {
    const urls = allowed(`${name}.json`)
    for (const url of urls) outbound.answers.set(url, documentOf(url, name.includes('assertion') ? { ...BY_KEY, jwks: KEYS } : {}))
    for (const url of [...urls, ...urls]) {
      const { status } = await ask(http, url, ISSUER)
      expect([url, status < 500]).toEqual([url, true])
    }
    expect(sorted(taken())).toEqual(gets(urls))
  })

  test('as a jwks_uri: registered, in a document, in clients.toml', async () => {
    const [ofRegistered, ofDocuments, documents] = [allowed('registered.keys'), allowed('document.keys'), allowed('keyed.json')]
    const urls = [...ofRegistered, ...ofDocuments, 'https://keys.example.com/toml.json']
    for (const url of urls) outbound.answers.set(url, json(KEYS))
    for (const [index, url] of documents.entries()) outbound.answers.set(url, documentOf(url, { ...BY_KEY, jwks_uri: ofDocuments[index] }))
    const clients = await Promise.all(ofRegistered.map((jwks_uri) => registered({ ...BY_KEY, jwks_uri })))
    const told = await Promise.all([...clients, ...documents, 'toml-keys'].map(prove))
    expect(new Set(told)).toEqual(new Set(['invalid_grant']))
    expect(sorted(taken())).toEqual(gets([...urls, ...documents]))
  })

  test('as a backchannel_logout_uri: registered, in a document, in clients.toml', async () => {
    const [ofRegistered, ofDocuments, documents] = [allowed('registered/bye'), allowed('document/bye'), allowed('told.json')]
    const urls = [...ofRegistered, ...ofDocuments, 'https://app.example.com/toml-bye']
    for (const url of urls) outbound.answers.set(url, (response) => response.writeHead(204).end())
    for (const [index, url] of documents.entries()) {
      outbound.answers.set(url, documentOf(url, { backchannel_logout_uri: ofDocuments[index] }))
    }
    const clients = await Promise.all(
      ofRegistered.map((uri) => registered({ token_endpoint_auth_method: 'none', backchannel_logout_uri: uri })),
    )
    const people = await Promise.all(['r', 'd'].map((name) => somebody(server, `told-${name}`)))
    await Promise.all(
      people.map(async (person, group) => {
        for (const id of group === 0 ? [...clients, 'toml-told'] : documents) {
          await signInTo(http, person, id, id.startsWith('https:') ? callbackOf(id) : CALLBACK)
        }
      }),
    )
    expect(sorted(taken())).toEqual(gets(documents))
    await Promise.all(people.map((person) => signOut(person)))
    await until(() => outbound.left.length >= urls.length)
    const left = taken()
    expect(left.map(({ url }) => url).sort()).toEqual([...urls].sort())
    const type = 'application/x-www-form-urlencoded'
    for (const { url, method, headers, body } of left) {
      const form = new URLSearchParams(body)
      expect([method, headers, [...form.keys()]]).toEqual([
        'POST',
        { 'content-type': type, 'content-length': `${body.length}` },
        ['logout_token'],
      ])
      const { aud, iss } = claimsOf(form.get('logout_token') ?? '')
      const index = [...ofRegistered, ...ofDocuments].indexOf(url)
      expect([iss, aud]).toEqual([ISSUER, index < 0 ? 'toml-told' : [...clients, ...documents][index]])
    }
    for (const person of people) person.close()
  })
})

/** Where a redirect would lead: to ourselves and our neighbours by every scheme, and to what would be fetched if it were named. */
const ELSEWHERE = [
  ...[
    '127.0.0.1',
    '[::1]',
    'localhost',
    '10.0.0.1',
    '169.254.169.254',
    '192.168.0.1',
    'metadata.google.internal',
    '[fd00:ec2::254]',
  ].flatMap((host) => [`http://${host}/latest/meta-data/`, `https://${host}/x`, `https://${host}:8443/x`]),
  ...['//127.0.0.1/x', '/elsewhere', '?elsewhere', 'https:127.0.0.1/x', '\\\\127.0.0.1\\x', 'http://2130706433/', 'http://0x7f.1/'],
  ...['https://elsewhere.example.com/good.json', `${ISSUER}/.well-known/jwks.json`, 'file:///etc/passwd', 'data:application/json,{}'],
]
const STATUSES = [300, 301, 302, 303, 305, 307, 308]

const redirect = (index: number) => (response: ServerResponse) => {
  const status = STATUSES[index % STATUSES.length] ?? 302
  const location = ELSEWHERE[index] ?? ''
  response.writeHead(status, { location, refresh: `0; url=${location}`, 'content-type': 'application/json' }).end(JSON.stringify(KEYS))
}

/** What each kind of answer makes of the three fields: one address each, by its index. */
async function answered(name: string, answers: readonly ((response: ServerResponse) => void)[]) {
  const at = (field: string, host = 'shop') => answers.map((_, index) => `https://${host}.example.com/${name}/${field}-${index}`)
  const [documents, keys, told] = [at('client'), at('keys'), at('told')]
  for (const urls of [documents, keys, told])
    for (const [index, url] of urls.entries()) outbound.answers.set(url, answers[index] ?? json({}))
  const keyed = at('keyed', 'other')
  for (const [index, url] of keyed.entries()) outbound.answers.set(url, documentOf(url, { ...BY_KEY, jwks_uri: keys[index] }))
  const clients = await Promise.all(told.map((uri) => registered({ token_endpoint_auth_method: 'none', backchannel_logout_uri: uri })))
  const person = await somebody(server, name)
  for (const client_id of clients) await signInTo(http, person, client_id, CALLBACK)
  await signOut(person)
  person.close()
  const authorize = async (url: string) => (await CLIENT_ID.authorize?.(http, url, ISSUER))?.status
  const [statuses, proven] = await Promise.all([Promise.all(documents.map(authorize)), Promise.all(keyed.map(prove))])
  const failures = () => undelivered(server).filter(({ client_id }) => clients.includes(client_id))
  await until(() => new Set(failures().map(({ client_id }) => client_id)).size === clients.length)
  const left = new Set(taken().map(({ method, url }) => `${method} ${url}`))
  for (const url of told) retried.add(url)
  return {
    statuses: new Set(statuses),
    proven: new Set(proven),
    /** By the index of the answer. */
    reasons: clients.map((id) => failures().find(({ client_id }) => client_id === id)?.reason),
    left: [...left].sort(),
    expected: [...[...documents, ...keys, ...keyed].map((url) => `GET ${url}`), ...told.map((url) => `POST ${url}`)].sort(),
  }
}

test('a redirect is followed nowhere, neither by a document, by keys nor by a logout', async () => {
  expect(ELSEWHERE.length).toBeGreaterThan(30)
  const it = await answered(
    'redirects',
    ELSEWHERE.map((_, index) => redirect(index)),
  )
  expect(it.left).toEqual(it.expected)
  expect([it.statuses, it.proven, new Set(it.reasons)]).toEqual([new Set([400]), new Set(['invalid_client']), new Set(['it redirects'])])
})

const good = (url: string) => JSON.stringify({ client_id: url, redirect_uris: ['https://shop.example.com/callback'], ...KEYS })
const JSON_TYPE = { 'content-type': 'application/json' }

test('an answer that is too large or too slow is given up', async () => {
  const dripping = new Set<NodeJS.Timeout>()
  const it = await answered('unfit', [
    (response) => response.writeHead(200, JSON_TYPE).end(JSON.stringify({ ...KEYS, padding: 'x'.repeat(70_000) })),
    (response) => response.writeHead(200, { ...JSON_TYPE, 'content-length': 10 ** 9 }).write('{'),
    (response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write(' '.repeat(16_384)));
      }
      response.writeHead(200, JSON_TYPE).on('drain', pour)
      pour()
    },
    () => {},
    (response) => response.writeHead(200, JSON_TYPE).write('{'),
    (response) => {
      response.writeHead(200, JSON_TYPE)
      dripping.add(setInterval(() => response.write(' '), 200))
    },
  ])
  for (const timer of dripping) clearInterval(timer)
  expect(it.left).toEqual(it.expected)
  expect([it.statuses, it.proven]).toEqual([new Set([400]), new Set(['invalid_client'])])
  const [large, slow] = ['it is larger than 4096 bytes', 'it did not answer in time']
  expect(it.reasons).toEqual([large, large, large, slow, slow, slow])
})

test.each([
  ['text/html', 'text/html'],
  ['no type', undefined],
  ['almost JSON', 'application/jsonp'],
])('an answer is no document and no key set as %s', async (name, type) => {
  const [client_id, keyed, jwks_uri] = ['client', 'keyed', 'keys'].map((it) => `https://shop.example.com/${encodeURIComponent(name)}/${it}`)
  if (!client_id || !keyed || !jwks_uri) throw new Error('nothing')
  const typed = (text: string) => (response: ServerResponse) => response.writeHead(200, type ? { 'content-type': type } : {}).end(text)
  outbound.answers.set(client_id, typed(good(client_id)))
  outbound.answers.set(jwks_uri, typed(JSON.stringify(KEYS)))
  outbound.answers.set(keyed, documentOf(keyed, { ...BY_KEY, jwks_uri }))
  expect((await CLIENT_ID.authorize?.(http, client_id, ISSUER))?.status).toBe(400)
  expect(await prove(keyed)).toBe('invalid_client')
  expect(sorted(taken())).toEqual(gets([client_id, keyed, jwks_uri]))
})
