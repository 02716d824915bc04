import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import {
  CALLBACK,
  codeFor,
  postAs,
  type Registered,
  redeem,
  refreshAs,
  register,
  type TokenAnswer,
  tokensFor,
} from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, codeOf, refresh, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// What an operator or a client's registration takes back after a person has allowed it: no token that is made after that has it.

const API = 'https://api.example.com'
const VARS = { AUDIENCES: API, SCOPES: 'notes:read notes:write' }
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const TELEVISION = { redirect_uris: [], grant_types: [DEVICE_GRANT, 'refresh_token'], response_types: [] }
const SCOPE = 'openid offline_access notes:read notes:write'

let server: Server
let http: Client
let person: Client
beforeAll(async () => {
  server = await startServer({ vars: VARS })
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

type Described = { active: boolean; scope?: string; aud?: string[]; exp?: number }
type Begun = { device_code: string; user_code: string }

const tokenOf = ({ refresh_token = '' }: TokenAnswer): string => refresh_token
const next = async (client: Registered, token: string, form = {}) => requireStatus(await refreshAs(http, client, token, form), 200).json

/** RFC 7592: the client as it was, but for its scope. */
async function allow(client: Registered, scope: string): Promise<void> {
  const { client_id, redirect_uris, grant_types, response_types, token_endpoint_auth_method } = client
  const metadata = { client_id, redirect_uris, grant_types, response_types, token_endpoint_auth_method, scope }
  const changed = await http.request('PUT', client.registration_client_uri, metadata, bearer(client.registration_access_token))
  requireStatus(changed, 200)
}

describe("a client's own scope, narrowed after the grant", () => {
  test('narrows the next refresh, and every replay of it in the grace window', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: SCOPE })
    const before = await next(client, tokenOf(granted))
    expect(before.scope).toBe(SCOPE)
    await allow(client, 'openid offline_access notes:read')
    const replayed = await next(client, tokenOf(granted))
    expect(replayed.refresh_token).toBe(before.refresh_token)
    expect([replayed.scope, claimsOf(replayed.access_token).scope]).toEqual(Array(2).fill('openid offline_access notes:read'))
    const after = await next(client, tokenOf(replayed), { scope: 'notes:read notes:write' })
    expect(after.scope).toBe('notes:read')
    await allow(client, SCOPE)
    expect((await next(client, tokenOf(after))).scope).toBe(SCOPE)
  })

  test('of which nothing remains is refused; the family lives, and is as it was when the scope is given back', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: 'notes:write' })
    await allow(client, 'notes:read')
    const refused = await refreshAs(http, client, tokenOf(granted))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_scope'])
    await allow(client, 'notes:write')
    expect((await next(client, tokenOf(granted))).scope).toBe('notes:write')
  })

  test('without openid: no ID token any more; without offline_access: no life after the session', async () => {
    const guest = browser(server.origin)
    await signUp(guest, 'guest@example.com')
    const client = await register(http)
    const granted = await tokensFor(http, guest, client, { scope: SCOPE })
    await allow(client, 'notes:read')
    const narrowed = await next(client, tokenOf(granted))
    expect(narrowed).not.toHaveProperty('id_token')
    requireStatus(await guest.post('/api/sign-out', {}, { origin: guest.origin }), 204)
    const refused = await refreshAs(http, client, tokenOf(narrowed))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_scope'])
    await allow(client, SCOPE)
    expect((await next(client, tokenOf(narrowed))).scope).toBe(SCOPE)
    guest.close()
  })
})

test('a family that has ended is told so, whatever else is no longer allowed or was never granted', async () => {
  const client = await register(http)
  const granted = await tokensFor(http, person, client, { scope: SCOPE })
  requireStatus(await postAs(http, '/oauth/revoke', client, { token: tokenOf(granted) }), 200)
  await allow(client, 'email')
  for (const form of [{}, { scope: 'notes:write' }, { scope: 'email' }, { resource: 'https://other.example' }]) {
    const refused = await refreshAs(http, client, tokenOf(granted), form)
    expect([refused.status, refused.json.error], JSON.stringify(form)).toEqual([400, 'invalid_grant'])
  }
})

describe('SCOPES and AUDIENCES, narrowed after the grant', () => {
  test('narrow the next refresh of a client and of the own apps, until they are as before', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: SCOPE, resource: `${API} ${server.origin}` })
    const asked = { email: 'own@example.com', password: 'violet-otter-41-lantern', use: 'tokens', audience: API }
    const own = requireStatus(await http.post<TokenAnswer>('/api/sign-up', { ...asked, scope: 'account notes:write' }), 201).json

    await server.restart({ SCOPES: 'notes:read' })
    const narrowed = await next(client, tokenOf(granted))
    expect([narrowed.scope, claimsOf(narrowed.access_token).aud]).toEqual(['openid offline_access notes:read', API])
    const ownNarrowed = requireStatus(await refresh(http, tokenOf(own)), 200).json
    expect(claimsOf(ownNarrowed.access_token)).toMatchObject({ scope: 'account', aud: API })

    await server.restart({ AUDIENCES: '' })
    const refused = await refreshAs(http, client, tokenOf(narrowed))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_target'])
    const other = await next(client, tokenOf(narrowed), { resource: server.origin })
    expect(claimsOf(other.access_token).aud).toBe(server.origin)
    expect(codeOf(await refresh(http, ownNarrowed.refresh_token))).toBe('invalid_grant')

    await server.restart()
    expect(await next(client, tokenOf(other))).toMatchObject({ scope: SCOPE })
    const restored = requireStatus(await refresh(http, ownNarrowed.refresh_token), 200).json
    expect(claimsOf(restored.access_token)).toMatchObject({ scope: 'account notes:write', aud: API })
  })
})

describe('between what the person allowed and the redemption of the code', () => {
  test("a client's narrowed scope gives the rest; the family has it all again once it is given back", async () => {
    const client = await register(http)
    const given = await codeFor(person, client, { scope: SCOPE })
    await allow(client, 'offline_access notes:read')
    const narrowed = requireStatus(await redeem(http, client, given), 200).json
    expect([narrowed.scope, claimsOf(narrowed.access_token).scope]).toEqual(Array(2).fill('offline_access notes:read'))
    expect(narrowed).not.toHaveProperty('id_token')
    await allow(client, SCOPE)
    expect((await next(client, tokenOf(narrowed))).scope).toBe(SCOPE)
  })

  test('without offline_access there is no refresh token, whatever else was taken', async () => {
    const client = await register(http)
    const given = await codeFor(person, client, { scope: SCOPE })
    await allow(client, 'notes:read')
    const narrowed = requireStatus(await redeem(http, client, given), 200).json
    expect(narrowed.scope).toBe('notes:read')
    expect(narrowed).not.toHaveProperty('refresh_token')
  })

  test('of which nothing remains is refused, and the code is good once it is given back', async () => {
    const client = await register(http)
    const given = await codeFor(person, client, { scope: 'notes:write' })
    await allow(client, 'notes:read')
    const refused = await redeem(http, client, given)
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_scope'])
    await allow(client, 'notes:write')
    expect(requireStatus(await redeem(http, client, given), 200).json.scope).toBe('notes:write')
  })

  test('SCOPES and AUDIENCES are those of now, for a device code too', async () => {
    const [web, television] = [await register(http), await register(http, TELEVISION)]
    const asked = { scope: 'offline_access notes:read notes:write', resource: API }
    const begun = requireStatus(await postAs<Begun>(http, '/oauth/device_authorization', television, asked), 200).json
    for (const decision of [{}, { decision: 'allow' }]) {
      const form = new URLSearchParams({ user_code: begun.user_code, ...decision })
      requireStatus(await person.post('/device', form, { origin: server.origin }), 200)
    }
    const given = await codeFor(person, web, asked)
    const either = [
      () => redeem(http, web, given),
      () => postAs(http, '/oauth/token', television, { grant_type: DEVICE_GRANT, device_code: begun.device_code }),
    ]
    await server.restart({ AUDIENCES: '', SCOPES: 'notes:read' })
    for (const take of either) {
      const refused = await take()
      expect([refused.status, refused.json.error]).toEqual([400, 'invalid_target'])
    }
    await server.restart({ SCOPES: 'notes:read' })
    for (const take of either) expect(requireStatus(await take(), 200).json.scope).toBe('offline_access notes:read')
    await server.restart()
  })
})

describe('introspection of a refresh token', () => {
  test('shows what a refresh would give: in scope, in audiences, in how long', async () => {
    const own = browser(server.origin)
    await signUp(own, 'intro@example.com')
    const client = await register(http, { token_endpoint_auth_method: 'client_secret_basic' })
    const granted = await tokensFor(http, own, client, { scope: SCOPE, resource: `${API} ${server.origin}` })
    const described = async () => (await postAs<Described>(http, '/oauth/introspect', client, { token: tokenOf(granted) })).json
    const before = await described()
    expect(before).toMatchObject({ active: true, scope: SCOPE, aud: [API, server.origin] })

    await allow(client, 'openid notes:read')
    const narrowed = await described()
    expect(narrowed).toMatchObject({ active: true, scope: 'openid notes:read' })
    // Without offline_access it ends with the session.
    expect(narrowed.exp).toBeGreaterThan(0)
    expect(narrowed.exp).toBeLessThan(before.exp ?? 0)
    await server.restart({ AUDIENCES: '' })
    expect(await described()).toMatchObject({ active: true, aud: [server.origin] })
    await server.restart()
    await allow(client, 'notes:other')
    expect(await described()).toEqual({ active: false })

    await allow(client, 'openid notes:read')
    requireStatus(await own.post('/api/sign-out', {}, { origin: own.origin }), 204)
    expect(await described()).toEqual({ active: false })
    await allow(client, SCOPE)
    expect(await described()).toEqual(before)
    own.close()
  })
})

describe('a client that is taken out of the configuration', () => {
  test('reads nothing more of anybody with the tokens that it has', async () => {
    const CLIENTS_TOML = `[[client]]\nclient_id = "shop"\ntoken_endpoint_auth_method = "none"\nredirect_uris = ["${CALLBACK}"]\n`
    await server.restart({ CLIENTS_TOML })
    const shop = { client_id: 'shop', token_endpoint_auth_method: 'none', registration_access_token: '', registration_client_uri: '' }
    const { access_token } = await tokensFor(http, person, shop)
    const read = () => http.get<{ sub: string }>('/oauth/userinfo', bearer(access_token))
    expect((await read()).json.sub).toBe(claimsOf(access_token).sub)
    await server.restart()
    const refused = await read()
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, expect.stringContaining('error="invalid_token"')])
    await server.restart({ CLIENTS_TOML })
    expect((await read()).status).toBe(200)
    await server.restart()
  })
})
