// Token exchange (RFC 8693): services that the operator has configured call one another in a person's name.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { makeClientKey, makeProof } from '../oauth/proofs.ts'
import { userinfo as boundUserinfo, fapiClient, redeem as redeemBound } from '../support/node/fapi.ts'
import type { Client, Reply } from '../support/node/http.ts'
import { type Ask, codeFor, postAs, type Registered, refreshAs, register, type TokenAnswer, tokensFor } from '../support/node/oauth.ts'
import {
  app,
  bearer,
  browser,
  claimsOf,
  hybridToken,
  msUntil,
  operatorOf,
  requireStatus,
  type Session,
  signUp,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const [ORDERS, BILLING] = ['https://orders.example.com', 'https://billing.example.com']
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const SCOPE = 'openid email orders:read orders:write'

const service = (client_id: string): Registered => ({
  client_id,
  client_secret: `the-secret-of-${client_id}`,
  token_endpoint_auth_method: 'client_secret_basic',
  registration_access_token: '',
  registration_client_uri: '',
})
const orders = service('orders')
const billing = service('billing')
/** Has the grant, and is nobody's resource server. */
const idle = service('idle')
/** May read, whoever calls it. */
const reader = service('reader')
/** A resource server without the grant. */
const passive = service('passive')

function entry(
  { client_id, client_secret = '' }: Registered,
  serves: readonly string[],
  grants = [EXCHANGE, 'client_credentials'],
  more: object = {},
): string {
  const hash = createHash('sha256').update(client_secret).digest('base64url')
  const members = { client_id, grant_types: grants, client_secret_sha256: [hash], serves, ...more }
  return ['[[client]]', ...Object.entries(members).map(([name, value]) => `${name} = ${JSON.stringify(value)}`), ''].join('\n')
}

let server: Server
let http: Client
let person: Client
let session: Session
let shop: Registered
beforeAll(async () => {
  const entries = [
    ...[entry(orders, [ORDERS]), entry(billing, [BILLING]), entry(idle, []), entry(passive, [ORDERS], ['client_credentials'])],
    entry(reader, [ORDERS], [EXCHANGE], { scope: 'openid orders:read' }),
  ]
  server = await startServer({
    vars: { AUDIENCES: `${ORDERS},${BILLING}`, SCOPES: 'orders:read orders:write', CLIENTS_TOML: entries.join('\n') },
  })
  http = app(server.origin)
  person = browser(server.origin)
  session = await signUp(person, 'ann@example.com')
  shop = await register(http)
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

/** What the shop calls the order service with. */
const called = async (changes: Ask = {}, who = person) =>
  (await tokensFor(http, who, shop, { scope: SCOPE, resource: ORDERS, ...changes })).access_token

const exchange = (by: Registered, subject_token: string, form: Record<string, string> = {}, headers = {}) =>
  postAs(http, '/oauth/token', by, { grant_type: EXCHANGE, subject_token, subject_token_type: ACCESS_TOKEN, ...form }, headers)

const exchanged = async (by: Registered, subject_token: string, form: Record<string, string>) =>
  requireStatus(await exchange(by, subject_token, form), 200).json.access_token

const errorOf = ({ status, json }: Reply<TokenAnswer>) => [status, json.error]
const introspect = async (by: Registered, token: string) =>
  (await postAs<Record<string, unknown>>(http, '/oauth/introspect', by, { token })).json
const userinfo = (token: string) => http.get('/oauth/userinfo', bearer(token))

async function somebody(name: string) {
  const own = browser(server.origin)
  return { own, session: await signUp(own, `${name}@example.com`) }
}

describe('a service that was called with a person’s token', () => {
  test('gets one of its own to call another with, in that person’s name', async () => {
    const subject = await called()
    const reply = await exchange(orders, subject, { resource: BILLING })
    expect(reply.status, reply.text).toBe(200)
    expect(reply.json).toEqual({
      access_token: expect.any(String),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: expect.any(Number),
      scope: SCOPE,
    })
    const [before, after] = [claimsOf(subject), claimsOf(reply.json.access_token)]
    expect(after).toMatchObject({ sub: session.sub, aud: BILLING, client_id: 'orders', act: { sub: 'orders' }, sid: session.sid })
    expect(after.exp).toBeLessThanOrEqual(before.exp)
    expect(after).not.toMatchObject({ jti: Object(before).jti })
    expect(await introspect(billing, reply.json.access_token)).toMatchObject({ active: true, sub: session.sub, act: { sub: 'orders' } })
    expect(await introspect(orders, reply.json.access_token)).toMatchObject({ active: true })
    expect(await introspect(passive, reply.json.access_token)).toEqual({ active: false })
  })

  test('may name the other service by audience, or none: then it is this issuer', async () => {
    const subject = await called()
    expect(claimsOf(await exchanged(orders, subject, { audience: BILLING })).aud).toBe(BILLING)
    const own = await exchanged(orders, subject, {})
    expect(claimsOf(own).aud).toBe(server.origin)
    expect((await userinfo(own)).json).toMatchObject({ sub: session.sub, email: 'ann@example.com' })
  })

  test('gets fewer scopes when it asks for fewer, and never more', async () => {
    const subject = await called({ scope: 'openid orders:read' })
    const less = await exchanged(orders, subject, { resource: BILLING, scope: 'orders:read' })
    expect(claimsOf(less).scope).toBe('orders:read')
    expect((await userinfo(await exchanged(orders, subject, { scope: 'orders:read' }))).status).toBe(403)
    for (const scope of ['orders:write', 'orders:read orders:write', 'account', 'orders:read  openid', 'roles']) {
      expect(errorOf(await exchange(orders, subject, { resource: BILLING, scope })), scope).toEqual([400, 'invalid_scope'])
    }
    expect(errorOf(await exchange(billing, less, { resource: ORDERS, scope: 'orders:read openid' }))).toEqual([400, 'invalid_scope'])
  })

  test('gets no scope that its operator has not given it, whoever calls it', async () => {
    const subject = await called()
    expect(claimsOf(await exchanged(reader, subject, { resource: BILLING })).scope).toBe('openid orders:read')
    expect(claimsOf(await exchanged(reader, subject, { resource: BILLING, scope: 'orders:read' })).scope).toBe('orders:read')
    for (const scope of ['orders:write', 'orders:read orders:write', 'email']) {
      expect(errorOf(await exchange(reader, subject, { resource: BILLING, scope })), scope).toEqual([400, 'invalid_scope'])
    }
    const writing = await called({ scope: 'orders:write' })
    expect(claimsOf(await exchanged(reader, writing, { resource: BILLING })).scope).toBe('')
  })

  test('is told the roles that the scope "roles" showed only for that scope', async () => {
    const { own, session: chief } = await somebody('chief')
    const roles = await http.request('PUT', `/admin/api/accounts/${chief.sub}/roles`, { roles: ['chief'] }, operatorOf(server))
    requireStatus(roles, 204)
    const subject = await called({ scope: 'roles orders:read' }, own)
    expect(claimsOf(await exchanged(orders, subject, { resource: BILLING })).roles).toEqual(['chief'])
    expect(claimsOf(await exchanged(orders, subject, { resource: BILLING, scope: 'orders:read' }))).not.toHaveProperty('roles')
    expect(claimsOf(await exchanged(reader, subject, { resource: BILLING }))).not.toHaveProperty('roles')
    own.close()
  })

  test('gets nothing of what only the deployment’s own apps may do', async () => {
    const own = await hybridToken(person, server, { audience: ORDERS, scope: 'account orders:read' })
    expect(claimsOf(await exchanged(orders, own, { resource: BILLING })).scope).toBe('orders:read')
    expect(errorOf(await exchange(orders, own, { resource: BILLING, scope: 'account' }))).toEqual([400, 'invalid_scope'])
  })

  test('is named before those that called it, and a chain of four is the longest', async () => {
    let token = await called()
    const chain: string[] = []
    for (const [by, resource] of [
      [orders, BILLING],
      [billing, ORDERS],
      [orders, BILLING],
      [billing, ORDERS],
    ] as const) {
      token = await exchanged(by, token, { resource })
      chain.unshift(by.client_id)
      const nested = chain.reduceRight<object>((act, sub) => (Object.keys(act).length === 0 ? { sub } : { sub, act }), {})
      expect(claimsOf(token)).toMatchObject({ sub: session.sub, act: nested })
    }
    expect(errorOf(await exchange(orders, token, { resource: BILLING }))).toEqual([400, 'invalid_request'])
  })
})

describe('no token is given', () => {
  const ways: [string, () => Promise<Reply<TokenAnswer>>, string][] = [
    ['for a subject of another audience', async () => exchange(billing, await called(), { resource: ORDERS }), 'invalid_request'],
    ['to a service that serves nothing', async () => exchange(idle, await called(), { resource: BILLING }), 'invalid_request'],
    ['to a service without the grant', async () => exchange(passive, await called(), { resource: BILLING }), 'unauthorized_client'],
    ['to the app itself', async () => exchange(shop, await called(), { resource: BILLING }), 'unauthorized_client'],
    [
      'for a resource that nobody knows',
      async () => exchange(orders, await called(), { resource: 'https://evil.example' }),
      'invalid_target',
    ],
    ['for an audience that nobody knows', async () => exchange(orders, await called(), { audience: 'billing' }), 'invalid_target'],
    ['for a machine’s token', async () => exchange(orders, await machineToken(), { resource: BILLING }), 'invalid_request'],
    ['for an ID token', async () => exchange(orders, (await tokensFor(http, person, shop)).id_token ?? ''), 'invalid_request'],
    ['for a token whose signature is changed', async () => exchange(orders, `${(await called()).slice(0, -8)}AAAAAAAA`), 'invalid_request'],
    ['for nothing', async () => exchange(orders, ''), 'invalid_request'],
    [
      'of another type',
      async () => exchange(orders, await called(), { requested_token_type: ACCESS_TOKEN.replace('access', 'refresh') }),
      'invalid_request',
    ],
    [
      'for a subject of another type',
      async () => exchange(orders, await called(), { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }),
      'invalid_request',
    ],
    [
      'for another actor',
      async () => exchange(orders, await called(), { actor_token: await called(), actor_token_type: ACCESS_TOKEN }),
      'invalid_request',
    ],
  ]
  test.each(ways)('%s', async (_, ask, error) => {
    expect(errorOf(await ask())).toEqual([400, error])
  })

  const machineToken = async () =>
    requireStatus(await postAs(http, '/oauth/token', orders, { grant_type: 'client_credentials', resource: ORDERS }), 200).json.access_token

  test('for two resources at once', async () => {
    const form = new URLSearchParams({ grant_type: EXCHANGE, subject_token: await called(), subject_token_type: ACCESS_TOKEN })
    for (const resource of [ORDERS, BILLING]) form.append('resource', resource)
    const secret = Buffer.from(`orders:${orders.client_secret}`).toString('base64')
    const reply = await http.post<TokenAnswer>('/oauth/token', form, { authorization: `Basic ${secret}` })
    expect(errorOf(reply)).toEqual([400, 'invalid_target'])
  })

  test('to a service that does not prove itself, or to one that registered itself for the grant', async () => {
    const reply = await exchange({ ...orders, client_secret: 'another' }, await called(), { resource: BILLING })
    expect(errorOf(reply)).toEqual([401, 'invalid_client'])
    const metadata = { redirect_uris: [], grant_types: [EXCHANGE], response_types: [], token_endpoint_auth_method: 'client_secret_basic' }
    const refused = await http.post('/oauth/register', metadata)
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_client_metadata'])
  })

  test('that opens what only the deployment’s own apps may do', async () => {
    const own = await hybridToken(person, server, { audience: ORDERS })
    const token = await exchanged(orders, own, {})
    expect((await http.get('/api/session', bearer(token))).status).toBe(403)
  })
})

describe('what ends the first token', () => {
  test('at the sign-out refuses the exchange at once, and ends the exchanged token within the bound', async () => {
    const { own } = await somebody('leaving')
    const subject = await called({}, own)
    const token = await exchanged(orders, subject, {})
    const other = await exchanged(orders, subject, { resource: BILLING })
    expect((await userinfo(token)).status).toBe(200)
    requireStatus(await own.post('/api/sign-out', {}, { origin: server.origin }), 204)
    expect(errorOf(await exchange(orders, subject, { resource: BILLING }))).toEqual([400, 'invalid_request'])
    expect(await introspect(billing, other)).toEqual({ active: false })
    expect(errorOf(await exchange(billing, other, { resource: ORDERS }))).toEqual([400, 'invalid_request'])
    await msUntil(5000, 401, () => userinfo(token))
    own.close()
  })

  test('as the app’s grant is revoked ends the exchanged token too', async () => {
    const tokens = await tokensFor(http, person, shop, { scope: `${SCOPE} offline_access`, resource: ORDERS })
    const token = await exchanged(orders, tokens.access_token, {})
    expect((await postAs(http, '/oauth/revoke', shop, { token: tokens.refresh_token ?? '' })).status).toBe(200)
    expect((await refreshAs(http, shop, tokens.refresh_token ?? '')).json.error).toBe('invalid_grant')
    expect(errorOf(await exchange(orders, tokens.access_token, { resource: BILLING }))).toEqual([400, 'invalid_request'])
    expect(await introspect(orders, token)).toEqual({ active: false })
    await msUntil(5000, 401, () => userinfo(token))
  })

  test('by a ban ends both', async () => {
    const { own, session: banned } = await somebody('banned')
    const subject = await called({}, own)
    const token = await exchanged(orders, subject, {})
    const reply = await http.post(`/admin/api/accounts/${banned.sub}/ban`, {}, operatorOf(server))
    expect(reply.status, reply.text).toBeLessThan(300)
    expect(errorOf(await exchange(orders, subject, { resource: BILLING }))).toEqual([400, 'invalid_request'])
    await msUntil(5000, 401, () => userinfo(token))
    own.close()
  })

  test('by itself is no more to be exchanged, by its service or by its app', async () => {
    const subject = await called()
    expect((await postAs(http, '/oauth/revoke', shop, { token: subject })).status).toBe(200)
    expect(errorOf(await exchange(orders, subject, { resource: BILLING }))).toEqual([400, 'invalid_request'])
  })

  test('is not for its receiver to end; the exchanged one is for the service that got it', async () => {
    const subject = await called()
    const token = await exchanged(orders, subject, {})
    expect((await postAs(http, '/oauth/revoke', orders, { token: subject })).status).toBe(200)
    expect(await introspect(orders, subject)).toMatchObject({ active: true })
    expect((await postAs(http, '/oauth/revoke', orders, { token })).status).toBe(200)
    await msUntil(5000, 401, () => userinfo(token))
    expect(await introspect(orders, subject)).toMatchObject({ active: true })
  })
})

describe('a service with a key', () => {
  test('exchanges a bound token that it was sent for one that is bound to its own key', async () => {
    const keyed = await fapiClient(http, { require_pushed_authorization_requests: false })
    const given = await codeFor(person, keyed.registered, { scope: SCOPE, resource: ORDERS })
    const subject = requireStatus(await redeemBound(keyed, given), 200).json.access_token
    expect(await introspect(orders, subject)).toMatchObject({ active: true, cnf: { jkt: await jwkThumbprint(keyed.dpop.jwk) } })
    const dpop = await makeClientKey()
    const proof = (nonce?: unknown) =>
      makeProof(dpop, { method: 'POST', url: server.url('/oauth/token'), now: Math.floor(Date.now() / 1000) }, { claims: { nonce } })
    const asked = await exchange(orders, subject, {}, { dpop: await proof() })
    expect(errorOf(asked)).toEqual([400, 'use_dpop_nonce'])
    const reply = await exchange(orders, subject, {}, { dpop: await proof(asked.headers['dpop-nonce']) })
    expect([reply.status, reply.json.token_type], reply.text).toEqual([200, 'DPoP'])
    expect(claimsOf(reply.json.access_token)).toMatchObject({ cnf: { jkt: await jwkThumbprint(dpop.jwk) }, act: { sub: 'orders' } })
    expect((await boundUserinfo(http, { dpop }, reply.json.access_token)).status).toBe(200)
    expect((await boundUserinfo(http, keyed, reply.json.access_token)).status).toBe(401)
  })
})
