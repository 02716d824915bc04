import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'
import type { Client } from '../support/node/http.ts'
import { app, bearer, codeOf, type Problem } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

type Registration = {
  client_id: string
  client_secret?: string
  client_secret_expires_at?: number
  registration_access_token: string
  registration_client_uri: string
  error?: string
  error_description?: string
} & Record<string, unknown>

const WEB = { client_name: 'The web shop', redirect_uris: ['https://shop.example.com/callback'] }
const PRODUCTION = { SALLYPORT_ENV: 'production', ISSUER: 'https://auth.example.com', LAB: '', SIGN_UP: 'immediate' }
const INITIAL = 'test-only-initial-access-token-that-is-long'

let server: Server
let client: Client
beforeAll(async () => {
  server = await startServer()
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const register = (metadata: object, headers = {}) => client.post<Registration>('/oauth/register', metadata, headers)
const registered = async (metadata: object = WEB) => {
  const reply = await register(metadata)
  expect(reply.status).toBe(201)
  return reply.json
}
const at = ({ client_id }: Registration, rest = '') => `/oauth/register/${client_id}${rest}`
const managing = ({ registration_access_token }: Registration) => bearer(registration_access_token)

describe('registration (RFC 7591)', () => {
  test('answers 201 with the id, the secret, the token that manages it, and all that is registered', async () => {
    const reply = await register({ ...WEB, contacts: ['x'], 'client_name#de': 'Der Laden' })
    expect(reply.status).toBe(201)
    expect(reply.headers['cache-control']).toBe('no-store')
    const { client_id, client_secret, client_id_issued_at, registration_access_token, ...rest } = reply.json
    expect(client_id).toMatch(/^[\w-]{22}$/)
    expect(client_secret).toMatch(/^sps_[\w-]{43}$/)
    expect(registration_access_token.length).toBeGreaterThan(60)
    expect(Math.abs(Number(client_id_issued_at) - Date.now() / 1000)).toBeLessThan(10)
    expect(rest).toEqual({
      ...WEB,
      client_secret_expires_at: 0,
      registration_client_uri: `${server.origin}/oauth/register/${client_id}`,
      application_type: 'web',
      post_logout_redirect_uris: [],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'RS256',
      require_auth_time: false,
      backchannel_logout_session_required: false,
      dpop_bound_access_tokens: false,
      require_pushed_authorization_requests: false,
    })
  })

  test('takes what the contract promises (16): loopback redirects, every method, clients without redirects, legacy_oidc', async () => {
    const key = { kty: 'OKP', crv: 'Ed25519', kid: 'a', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
    const local = {
      redirect_uris: ['http://127.0.0.1:4711/cb'],
      jwks_uri: 'http://localhost:4711/jwks',
      backchannel_logout_uri: 'http://127.0.0.1:4711/logout',
      post_logout_redirect_uris: ['http://127.0.0.1:4711/out'],
    }
    const secrets = []
    for (const metadata of [
      { ...WEB, token_endpoint_auth_method: 'none' },
      { ...WEB, token_endpoint_auth_method: 'client_secret_post', legacy_oidc: true },
      { ...WEB, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key] } },
      { grant_types: ['client_credentials'] },
      { grant_types: ['urn:ietf:params:oauth:grant-type:device_code'], token_endpoint_auth_method: 'none' },
      local,
    ]) {
      const { client_secret, ...rest } = await registered(metadata)
      expect(rest).toMatchObject(metadata)
      secrets.push(client_secret !== undefined)
    }
    expect(secrets).toEqual([false, true, false, true, false, true])
  })

  test.each<[string, string | Uint8Array | object | undefined, string, string]>([
    ['a bad redirect', { redirect_uris: ['http://evil.example/cb'] }, 'application/json', 'invalid_redirect_uri'],
    ['no redirect', {}, 'application/json', 'invalid_redirect_uri'],
    ['a bad method', { ...WEB, token_endpoint_auth_method: 'x' }, 'application/json', 'invalid_client_metadata'],
    ['no JSON', '{', 'application/json', 'invalid_client_metadata'],
    ['no body', undefined, 'application/json', 'invalid_client_metadata'],
    ['a list', '[]', 'application/json', 'invalid_client_metadata'],
    ['null', 'null', 'application/json', 'invalid_client_metadata'],
    ['a form', 'redirect_uris=x', 'application/x-www-form-urlencoded', 'invalid_client_metadata'],
    ['a member twice', '{"redirect_uris":[],"redirect_uris":["https://shop.example.com/"]}', 'application/json', 'invalid_client_metadata'],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'application/json', 'invalid_client_metadata'],
    ['depth', `{"jwks":${'['.repeat(7000)}${']'.repeat(7000)}}`, 'application/json', 'invalid_client_metadata'],
    ['a large body', { ...WEB, x: 'x'.repeat(20_000) }, 'application/json', 'invalid_client_metadata'],
    ['a prototype', '{"__proto__":{"redirect_uris":["https://shop.example.com/"]}}', 'application/json', 'invalid_client_metadata'],
  ])('refuses %s in the form of RFC 7591, 3.2.2', async (_, body, type, error) => {
    const reply = await client.request<Registration>('POST', '/oauth/register', body, { 'content-type': type })
    expect([reply.status, reply.json.error]).toEqual([400, error])
    expect(Object.keys(reply.json).sort()).toEqual(['error', 'error_description'])
  })

  test('may be used by pages of any origin, without credentials', async () => {
    const origin = { origin: 'https://inspector.example' }
    const reply = await register(WEB, origin)
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([201, '*'])
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined()
    const refused = await register({}, origin)
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([400, '*'])
    const asks = { ...origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
    const preflight = await client.request('OPTIONS', '/oauth/register', undefined, asks)
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, '*'])
  })

  test('keeps no secret in the clear', async () => {
    const it = await registered()
    expect(server.output()).not.toContain(it.client_secret ?? '-')
    expect(server.output()).not.toContain(it.registration_access_token)
  })
})

describe('management of a registration (RFC 7592)', () => {
  test('shows what is registered, and the secret never again', async () => {
    const it = await registered()
    const { status, json } = await client.get<Registration>(at(it), managing(it))
    const { client_secret: _, client_secret_expires_at: __, ...shown } = it
    expect([status, json]).toEqual([200, shown])
  })

  test('replaces what is registered; the id and the secret cannot be changed', async () => {
    const it = await registered()
    const put = (metadata: object) => client.put<Registration>(at(it), metadata, managing(it))
    const other = { redirect_uris: ['https://shop.example.com/other'], client_id: it.client_id }
    for (const wrong of [
      { ...other, client_id: undefined },
      { ...other, client_id: 'x' },
      { ...other, client_secret: 'chosen' },
      { ...other, client_secret: { hash: 'x' } },
      { ...other, redirect_uris: ['http://evil.example'] },
    ]) {
      expect((await put(wrong)).status).toBe(400)
    }
    const changed = await put({ ...other, client_secret: it.client_secret })
    expect(changed.status).toBe(200)
    expect(changed.json).toMatchObject(other)
    expect(changed.json.client_name).toBeUndefined()
    expect(changed.json.client_secret).toBeUndefined()
    expect((await client.get<Registration>(at(it), managing(it))).json).toMatchObject(other)
    expect((await put({ ...other, token_endpoint_auth_method: 'none' })).json.client_secret).toBeUndefined()
    expect((await put(other)).json.client_secret).toMatch(/^sps_/)
  })

  test('gives another secret, in place of none', async () => {
    const it = await registered()
    const rotated = await client.post<Registration>(at(it, '/secret'), undefined, managing(it))
    expect(rotated.status).toBe(200)
    expect(rotated.json.client_secret).toMatch(/^sps_/)
    expect(rotated.json.client_secret).not.toBe(it.client_secret)
    const open = await registered({ ...WEB, token_endpoint_auth_method: 'none' })
    expect((await client.post(at(open, '/secret'), undefined, managing(open))).status).toBe(400)
  })

  test('ends it: 204, and then everything is refused', async () => {
    const it = await registered()
    expect((await client.delete(at(it), managing(it))).status).toBe(204)
    expect((await client.get(at(it), managing(it))).status).toBe(401)
    expect((await client.put(at(it), { ...WEB, client_id: it.client_id }, managing(it))).status).toBe(401)
    expect((await client.post(at(it, '/secret'), undefined, managing(it))).status).toBe(401)
    expect((await client.delete(at(it), managing(it))).status).toBe(401)
  })

  test('answers a wrong token, another client’s, none, and an unknown client alike', async () => {
    const [it, other] = [await registered(), await registered()]
    const token = it.registration_access_token
    const unknown = { ...it, client_id: 'AAAAAAAAAAAAAAAAAAAAAA' }
    const bodies = new Set<string>()
    const tries: [Registration, Record<string, string>][] = [
      [it, {}],
      [it, bearer('x')],
      [it, bearer(`${token.slice(0, -1)}${token.endsWith('A') ? 'Q' : 'A'}`)],
      [it, bearer(it.client_secret ?? '')],
      [it, { authorization: `Basic ${Buffer.from(`${it.client_id}:${it.client_secret}`).toString('base64')}` }],
      [it, managing(other)],
      [unknown, managing(it)],
      [{ ...it, client_id: `${it.client_id}%20` }, managing(it)],
      [{ ...it, client_id: '%F0%80' }, managing(it)],
    ]
    for (const [whose, headers] of tries) {
      for (const method of ['GET', 'PUT', 'DELETE', 'POST']) {
        const path = at(whose, method === 'POST' ? '/secret' : '')
        const reply = await client.request(method, path, method === 'PUT' ? { ...WEB, client_id: it.client_id } : undefined, headers)
        expect([method, path, reply.status]).toEqual([method, path, 401])
        expect(reply.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
        bodies.add(reply.text)
      }
    }
    expect(bodies.size).toBe(1)
    expect((await client.get(at(it), managing(it))).status).toBe(200)
  })

  test('survives a crash', async () => {
    const it = await registered()
    await server.kill9()
    await server.restart()
    expect((await client.get<Registration>(at(it), managing(it))).json).toMatchObject({ client_name: 'The web shop' })
  })
})

describe('registration in production', () => {
  test('does not exist without an initial access token', async () => {
    const closed = await startServer({ vars: PRODUCTION })
    const stranger = app(closed.origin)
    for (const headers of [{}, bearer('undefined'), bearer('')]) {
      expect((await stranger.post('/oauth/register', WEB, headers)).status).toBe(404)
    }
    stranger.close()
    await closed.stop()
  })

  test('takes the initial access token and nothing else, and public addresses only', async () => {
    const opened = await startServer({ vars: { ...PRODUCTION, INITIAL_ACCESS_TOKEN: INITIAL } })
    const partner = app(opened.origin)
    for (const headers of [{}, bearer('x'), bearer(`${INITIAL}x`), bearer(opened.vars.ADMIN_TOKEN ?? '')]) {
      const refused = await partner.post<Registration>('/oauth/register', WEB, headers)
      expect([refused.status, refused.json.error]).toEqual([401, 'invalid_token'])
    }
    const reply = await partner.post<Registration>('/oauth/register', WEB, bearer(INITIAL))
    expect([reply.status, reply.json.registration_client_uri]).toEqual([
      201,
      `https://auth.example.com/oauth/register/${reply.json.client_id}`,
    ])
    expect((await partner.get(at(reply.json), bearer(INITIAL))).status).toBe(401)
    expect((await partner.get(at(reply.json), managing(reply.json))).status).toBe(200)
    const local = { ...WEB, jwks_uri: 'http://127.0.0.1:4711/jwks' }
    expect((await partner.post('/oauth/register', local, bearer(INITIAL))).status).toBe(400)
    partner.close()
    await opened.stop()
  })
})

describe('clients.toml', () => {
  test('is served with: an entry made with `npm run client-secret` is right', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(ROOT, 'scripts/client-secret.mjs')])
    const [secret, made] = stdout.split('\n').map((line) => line.split(/\s+/)[1] ?? '')
    expect(secret).toMatch(/^sps_[\w-]{43}$/)
    expect(made).toBe(
      createHash('sha256')
        .update(secret ?? '')
        .digest('base64url'),
    )
    const entry = `[[client]]\nclient_id = "reports"\ngrant_types = ["client_credentials"]\nclient_secret_sha256 = ["${made}"]`
    const right = await startServer({ vars: { CLIENTS_TOML: entry } })
    const stranger = app(right.origin)
    expect((await stranger.get('/health')).status).toBe(200)
    stranger.close()
    await right.stop()
  })

  const hash = createHash('sha256').update('hunter2').digest('base64url')
  test.each([
    ['CLIENTS_TOML', { CLIENTS_TOML: '[[client]]\nclient_id = "hunter2' }],
    ['"web-shop"', { CLIENTS_TOML: '[[client]]\nclient_id = "web-shop"\nclient_secret = "hunter2"' }],
    ['redirect_uris', { CLIENTS_TOML: `[[client]]\nclient_id = "web-shop"\nclient_secret_sha256 = ["${hash}"]` }],
    ['INITIAL_ACCESS_TOKEN', { INITIAL_ACCESS_TOKEN: 'hunter2' }],
  ])('that is wrong stops the Worker with a sentence about %s, without a value', async (what, vars) => {
    const wrong = await startServer({ vars })
    const stranger = app(wrong.origin)
    const reply = await stranger.get<Problem>('/health')
    expect([reply.status, codeOf(reply)]).toEqual([503, 'misconfigured'])
    expect(reply.json.detail).toContain(what)
    expect(reply.text + wrong.output()).not.toMatch(new RegExp(`hunter2|${hash}`))
    stranger.close()
    await wrong.stop()
  })
})
