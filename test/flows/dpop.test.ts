import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { makeClientKey, makeProof } from '../oauth/proofs.ts'
import { type FapiClient, fapiClient, push, redeem, refreshAs, userinfo } from '../support/node/fapi.ts'
import type { Client } from '../support/node/http.ts'
import { type Ask, authorizationQuery, authorize, CALLBACK, codeFor, locationOf, pkce, type TokenAnswer } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, mailsTo, msUntil, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const EMAIL = 'ann@example.com'
const OFFLINE = { scope: 'openid offline_access' }

let server: Server
let http: Client
let person: Client
/** Public, and free to send a proof or none. */
let open: FapiClient
let confidential: FapiClient
beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, EMAIL)
  const free = { require_pushed_authorization_requests: false, dpop_bound_access_tokens: false }
  open = await fapiClient(http, { ...free, token_endpoint_auth_method: 'none' })
  confidential = await fapiClient(http, { ...free, token_endpoint_auth_method: 'client_secret_basic' })
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const jktOf = async ({ dpop }: Pick<FapiClient, 'dpop'>) => (await jwkThumbprint(dpop.jwk)) ?? ''

async function tokensFor(client: FapiClient, changes: Ask = OFFLINE): Promise<TokenAnswer & { refresh_token: string }> {
  const tokens = requireStatus(await redeem(client, await codeFor(person, client.registered, changes)), 200).json
  return { refresh_token: '', ...tokens }
}

describe('the tokens of a public client', () => {
  test('are bound to the key of its proof', async () => {
    const { access_token, token_type } = await tokensFor(open)
    expect(token_type).toBe('DPoP')
    expect(claimsOf(access_token)).toMatchObject({ cnf: { jkt: await jktOf(open) } })
  })

  test('are plain bearer tokens when it sends none', async () => {
    const reply = await redeem(open, await codeFor(person, open.registered), { proof: null })
    expect([reply.status, reply.json.token_type]).toEqual([200, 'Bearer'])
    expect(claimsOf(reply.json.access_token)).not.toHaveProperty('cnf')
    expect(reply.headers).not.toHaveProperty('dpop-nonce')
  })

  test.each([
    ['another key', async () => ({ proof: { key: await makeClientKey() } })],
    ['no key', async () => ({ proof: null })],
  ])('are not refreshed with %s, no alarm is raised, and the owner goes on', async (_, how) => {
    const { refresh_token } = await tokensFor(open)
    const refused = await refreshAs(open, refresh_token, await how())
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_grant'])
    const next = requireStatus(await refreshAs(open, refresh_token), 200).json
    expect((await refreshAs(open, refresh_token, await how())).json.error).toBe('invalid_grant')
    expect((await refreshAs(open, next.refresh_token ?? '')).status).toBe(200)
    expect((await mailsTo(http, EMAIL)).filter(({ subject }) => /ended|copy/.test(subject))).toEqual([])
  })

  test('answer a repeat with the same successor, to the same key only', async () => {
    const { refresh_token } = await tokensFor(open)
    const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => refreshAs(open, refresh_token)))
    for (const reply of [first, ...others]) {
      expect(reply?.status).toBe(200)
      expect(reply?.json.refresh_token).toBe(first?.json.refresh_token)
      expect(claimsOf(reply?.json.access_token ?? '')).toMatchObject({ cnf: { jkt: await jktOf(open) } })
    }
    expect((await refreshAs(open, refresh_token, { proof: { key: await makeClientKey() } })).json.error).toBe('invalid_grant')
    expect((await refreshAs(open, refresh_token, { proof: null })).json.error).toBe('invalid_grant')
  })
})

describe('a bound access token', () => {
  test('opens userinfo with its proof, by GET and POST, and not as a bearer token', async () => {
    const { access_token } = await tokensFor(open)
    expect((await userinfo(http, open, access_token)).status).toBe(200)
    const url = server.url('/oauth/userinfo')
    const dpop = await makeProof(open.dpop, { method: 'POST', url, now: Math.floor(Date.now() / 1000), accessToken: access_token })
    expect((await http.post('/oauth/userinfo', undefined, { authorization: `DPoP ${access_token}`, dpop })).status).toBe(200)
    const refused = await http.get('/oauth/userinfo', bearer(access_token))
    expect(refused.status).toBe(401)
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"')
    expect((await http.post('/oauth/userinfo', new URLSearchParams({ access_token }))).status).toBe(401)
  })

  test('that is a plain one is refused as a bound one', async () => {
    const plain = requireStatus(await redeem(open, await codeFor(person, open.registered), { proof: null }), 200).json
    const reply = await userinfo(http, open, plain.access_token)
    expect(reply.status).toBe(401)
    expect((await http.get('/oauth/userinfo', bearer(plain.access_token))).status).toBe(200)
  })

  test('says its key when it is introspected, and can be revoked without it', async () => {
    const { access_token, refresh_token } = await tokensFor(confidential)
    const jkt = await jktOf(confidential)
    const introspect = (token: string) => confidential.post<Record<string, unknown>>('/oauth/introspect', { token }, { proof: null })
    expect((await introspect(access_token)).json).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt } })
    // Bound to the client, who proves itself: to no key.
    const described = (await introspect(refresh_token)).json
    expect(described).toMatchObject({ active: true })
    expect(described).not.toHaveProperty('cnf')
    expect((await confidential.post('/oauth/revoke', { token: access_token }, { proof: null })).status).toBe(200)
    expect((await introspect(access_token)).json).toEqual({ active: false })
    await msUntil(5000, 401, () => userinfo(http, confidential, access_token))
  })
})

test('a confidential client may change its key, and each token is bound to the key of its time', async () => {
  const { access_token, refresh_token } = await tokensFor(confidential)
  const key = await makeClientKey()
  const changed = requireStatus(await refreshAs(confidential, refresh_token, { proof: { key } }), 200).json
  expect(claimsOf(changed.access_token)).toMatchObject({ cnf: { jkt: await jwkThumbprint(key.jwk) } })
  expect((await userinfo(http, { dpop: key }, changed.access_token)).status).toBe(200)
  expect((await userinfo(http, confidential, changed.access_token)).status).toBe(401)
  expect((await userinfo(http, confidential, access_token)).status).toBe(200)
})

test('a machine has bound tokens too, and a client that registered to bind them must', async () => {
  const grants = { grant_types: ['client_credentials'], redirect_uris: [] }
  const machine = await fapiClient(http, { ...grants, token_endpoint_auth_method: 'client_secret_post', dpop_bound_access_tokens: true })
  const asked = requireStatus(await machine.post('/oauth/token', { grant_type: 'client_credentials' }), 200).json
  expect(claimsOf(asked.access_token)).toMatchObject({ sub: machine.client_id, cnf: { jkt: await jktOf(machine) } })
  const refused = await machine.post('/oauth/token', { grant_type: 'client_credentials' }, { proof: null })
  expect([refused.status, refused.json.error]).toEqual([400, 'invalid_dpop_proof'])
})

describe('a proof', () => {
  test('is good once, whichever endpoint it comes to first; another key may use the same jti', async () => {
    const proof = { claims: { jti: crypto.randomUUID() } }
    expect((await push(confidential, pkce().code_challenge, {}, { proof })).status).toBe(201)
    const given = await codeFor(person, confidential.registered)
    const refused = await redeem(confidential, given, { proof })
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_dpop_proof'])
    const { access_token } = requireStatus(await redeem(confidential, given), 200).json
    expect((await userinfo(http, confidential, access_token, { proof })).status).toBe(401)
    expect((await push(open, pkce().code_challenge, {}, { proof })).status).toBe(201)
  })

  test('without a nonce costs nothing but a second request: neither the code nor the assertion nor its own jti is used up', async () => {
    const asserting = await fapiClient(http, { require_pushed_authorization_requests: false })
    const given = await codeFor(person, asserting.registered)
    const [assertion, jti] = [{ claims: { jti: crypto.randomUUID() } }, crypto.randomUUID()]
    const ask = (claims: object) => redeem(asserting, given, { assertion, proof: { claims: { jti, ...claims } } })
    for (const nonce of [undefined, 'x', 'A'.repeat(35)]) {
      const reply = await ask({ nonce })
      expect([reply.status, reply.json.error]).toEqual([400, 'use_dpop_nonce'])
      expect(reply.headers['dpop-nonce']).toMatch(/^[\w-]{20,}$/)
      expect(reply.headers['cache-control']).toBe('no-store')
    }
    const reply = await ask({})
    expect([reply.status, reply.json.token_type], reply.text).toEqual([200, 'DPoP'])
    expect(reply.headers['dpop-nonce']).toMatch(/^[\w-]{20,}$/)
  })

  test('that is refused tells the nonce to a page of another origin as well', async () => {
    const reply = await open.post(
      '/oauth/token',
      { grant_type: 'authorization_code', code: 'x' },
      { proof: { claims: { nonce: undefined } } },
    )
    expect(reply.headers['access-control-expose-headers']).toContain('DPoP-Nonce')
    const preflight = await http.request('OPTIONS', '/oauth/token', undefined, {
      origin: 'https://app.example.com',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'dpop',
    })
    expect(preflight.headers['access-control-allow-headers']).toContain('DPoP')
  })
})

describe('dpop_jkt in the authorization request', () => {
  test('binds the code to that key', async () => {
    const given = await codeFor(person, open.registered, { dpop_jkt: await jktOf(open) })
    const refused = [await redeem(open, given, { proof: null }), await redeem(open, given, { proof: { key: await makeClientKey() } })]
    expect(refused.map(({ status, json }) => [status, json.error])).toEqual([
      [400, 'invalid_grant'],
      [400, 'invalid_grant'],
    ])
    expect((await redeem(open, given)).json.token_type).toBe('DPoP')
  })

  test.each(['x', 'A'.repeat(44), `${'A'.repeat(42)}=`, `${'A'.repeat(42)}+`])('that is no thumbprint is refused: %s', async (dpop_jkt) => {
    const query = authorizationQuery(open.registered, pkce().code_challenge, { dpop_jkt })
    const back = locationOf(await person.get(`/oauth/authorize?${query}`))
    expect([`${back.origin}${back.pathname}`, back.searchParams.get('error')]).toEqual([CALLBACK, 'invalid_request'])
  })

  test('is not taken away by whoever starts again without it: that is another code', async () => {
    const { code_verifier, code_challenge } = pkce()
    const bound = await authorize(person, authorizationQuery(open.registered, code_challenge, { dpop_jkt: await jktOf(open) }))
    const plain = await authorize(person, authorizationQuery(open.registered, code_challenge))
    const codes = [bound, plain].map((back) => back.searchParams.get('code') ?? '')
    const replies = await Promise.all(codes.map((code) => redeem(open, { code, code_verifier, redirect_uri: CALLBACK }, { proof: null })))
    expect(replies.map(({ status }) => status)).toEqual([400, 200])
  })
})
