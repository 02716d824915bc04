import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import {
  authorizationQuery,
  authorize,
  basic,
  CALLBACK,
  codeFor,
  decide,
  interactionIn,
  locationOf,
  type OAuthProblem,
  pkce,
  postAs,
  type Registered,
  redeem,
  refreshAs,
  register,
  tokensFor,
} from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, msUntil, PASSWORD, type Session, signIn, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const API = 'https://api.example.com'

let server: Server
let http: Client
let person: Client
let session: Session
let publicClient: Registered
let confidential: Registered
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: API, SCOPES: 'notes:read notes:write' } })
  http = app(server.origin)
  person = browser(server.origin)
  session = await signUp(person, 'ann@example.com')
  publicClient = await register(http)
  confidential = await register(http, { token_endpoint_auth_method: 'client_secret_basic' })
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

/** A person of their own, for what ends sessions. */
async function somebody(name: string) {
  const own = browser(server.origin)
  return { own, session: await signUp(own, `${name}@example.com`) }
}

const userinfo = (token: string) => http.get<Record<string, unknown>>('/oauth/userinfo', bearer(token))

describe('the authorization code flow', () => {
  test('signs a person in with a public client: code, ID token, userinfo', async () => {
    const { code_challenge, code_verifier } = pkce()
    const back = await authorize(person, authorizationQuery(publicClient, code_challenge, { nonce: 'n-1', scope: 'openid email profile' }))
    expect(`${back.origin}${back.pathname}`).toBe(CALLBACK)
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.stringMatching(/^[\w-]{40,}$/),
      state: 'the-state',
      iss: server.origin,
    })
    const code = back.searchParams.get('code') ?? ''
    const reply = await redeem(http, publicClient, { code, code_verifier, redirect_uri: CALLBACK })
    expect(reply.status, reply.text).toBe(200)
    expect(reply.headers['cache-control']).toBe('no-store')
    expect(reply.json).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 300,
      scope: 'openid email profile',
      id_token: expect.any(String),
    })
    const keys = createRemoteJWKSet(new URL(server.url('/.well-known/jwks.json')))
    const { payload, protectedHeader } = await jwtVerify(reply.json.id_token ?? '', keys, {
      issuer: server.origin,
      audience: publicClient.client_id,
      algorithms: ['RS256'],
    })
    expect(protectedHeader.typ).toBe('JWT')
    expect(payload).toMatchObject({
      sub: session.sub,
      nonce: 'n-1',
      sid: session.sid,
      auth_time: session.auth_time,
      amr: ['pwd'],
      acr: session.acr,
    })
    expect(claimsOf(reply.json.access_token)).toMatchObject({
      sub: session.sub,
      client_id: publicClient.client_id,
      aud: server.origin,
      sid: session.sid,
    })
    expect((await userinfo(reply.json.access_token)).json).toEqual({ sub: session.sub, email: 'ann@example.com', email_verified: false })
  })

  test('remembers a consent for the client, the address and the scopes, and asks again for more', async () => {
    const client = await register(http)
    const ask = (scope: string) => person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, { scope })}`)
    const first = await ask('openid email')
    expect(first.status).toBe(200)
    expect((await decide(person, interactionIn(first), 'allow')).status).toBe(303)
    expect((await ask('openid email')).status).toBe(303)
    expect((await ask('openid')).status).toBe(303)
    expect((await ask('openid profile')).status).toBe(200)
    const other = await register(http)
    expect((await person.get(`/oauth/authorize?${authorizationQuery(other, pkce().code_challenge, { scope: 'openid' })}`)).status).toBe(200)
  })

  test('a denial goes back as access_denied and is not remembered', async () => {
    const client = await register(http)
    const page = await person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge)}`)
    const back = locationOf(await decide(person, interactionIn(page), 'deny'))
    expect(back.searchParams.get('error')).toBe('access_denied')
    expect(back.searchParams.get('iss')).toBe(server.origin)
    expect((await person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge)}`)).status).toBe(200)
  })

  test('a consent needs our own page behind it, and the account that saw it', async () => {
    const client = await register(http)
    const page = await person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge)}`)
    const fields = new URLSearchParams({ interaction: interactionIn(page), decision: 'allow' })
    expect((await person.post('/consent', fields)).status).toBe(403)
    expect((await person.post('/consent', fields, { origin: 'https://evil.example' })).status).toBe(403)
    const { own } = await somebody('other-account')
    const shown = await own.post('/consent', fields, { origin: server.origin })
    expect(shown.status).toBe(200)
    expect(shown.text).toContain('other-account@example.com')
    own.close()
  })

  test('without a session leads to the sign-in page, and on from there', async () => {
    const stranger = browser(server.origin)
    await signUp(browser(server.origin), 'stranger@example.com')
    const to = await stranger.get(
      `/oauth/authorize?${authorizationQuery(publicClient, pkce().code_challenge, { login_hint: 'stranger@example.com' })}`,
    )
    expect(to.status).toBe(303)
    const page = await stranger.get(to.headers.location ?? '')
    expect(page.text).toContain('stranger@example.com')
    const form = new URLSearchParams({ interaction: interactionIn(page), email: 'stranger@example.com', password: PASSWORD })
    const on = await stranger.post('/sign-in', form, { origin: server.origin })
    expect(on.status, on.text.slice(0, 300)).toBe(303)
    const consent = await stranger.get(on.headers.location ?? '')
    const back = locationOf(await decide(stranger, interactionIn(consent), 'allow'))
    expect(back.searchParams.get('code')).not.toBe(null)
    stranger.close()
  })

  test.each([
    ['login_required without a session', {}, async () => browser(server.origin), 'login_required'],
    ['consent_required before consent', {}, async () => person, 'consent_required'],
  ])('prompt=none answers %s', async (_, changes, who, error) => {
    const client = await register(http)
    const back = locationOf(
      await (await who()).get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, { prompt: 'none', ...changes })}`),
    )
    expect(back.searchParams.get('error')).toBe(error)
    expect(back.searchParams.get('state')).toBe('the-state')
  })

  test('prompt=login and max_age ask for a new sign-in, and take it', async () => {
    const { own, session: before } = await somebody('again')
    await authorize(own, authorizationQuery(publicClient, pkce().code_challenge))
    await new Promise((resolve) => setTimeout(resolve, 1100))
    for (const changes of [{ prompt: 'login' }, { max_age: '0' }]) {
      const to = await own.get(`/oauth/authorize?${authorizationQuery(publicClient, pkce().code_challenge, changes)}`)
      expect(locationOf(to).pathname).toBe('/sign-in')
      const sealed = locationOf(to).searchParams.get('interaction') ?? ''
      expect(locationOf(await own.get(`/oauth/authorize?interaction=${sealed}`)).pathname).toBe('/sign-in')
      const again = await signIn(own, 'again@example.com')
      expect(again.auth_time).toBeGreaterThan(before.auth_time)
      const back = locationOf(await own.get(`/oauth/authorize?interaction=${sealed}`))
      expect(back.searchParams.get('code')).not.toBe(null)
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    own.close()
  })
})

describe('what is wrong with a request', () => {
  test.each([
    ['an unknown client', { client_id: 'AAAAAAAAAAAAAAAAAAAAAA' }],
    ['no client', { client_id: undefined }],
    ['an address that is not registered', { redirect_uri: 'https://app.example.com/callback/' }],
    ['no address, with openid', { redirect_uri: undefined }],
    ['a script for an address', { redirect_uri: 'javascript:alert(1)' }],
  ])('is told on a page and sent nowhere: %s', async (_, changes) => {
    const reply = await person.get(`/oauth/authorize?${authorizationQuery(publicClient, pkce().code_challenge, changes)}`)
    expect(reply.status).toBe(400)
    expect(reply.headers.location).toBe(undefined)
    expect(reply.headers['content-type']).toMatch(/^text\/html/)
  })

  test.each([
    ['response_type missing', { response_type: undefined }, 'invalid_request'],
    ['response_type token', { response_type: 'token' }, 'unsupported_response_type'],
    ['response_type code id_token', { response_type: 'code id_token' }, 'unsupported_response_type'],
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['plain', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no method', { code_challenge_method: undefined }, 'invalid_request'],
    ['method without challenge', { code_challenge: undefined }, 'invalid_request'],
    ['short challenge', { code_challenge: 'abc' }, 'invalid_request'],
    ['malformed scope', { scope: 'openid  email' }, 'invalid_scope'],
    ['nothing but unknown scopes', { scope: 'nonsense' }, 'invalid_scope'],
    ['the scope of our own apps', { scope: 'account' }, 'invalid_scope'],
    ['unknown resource', { resource: 'https://evil.example' }, 'invalid_target'],
    ['prompt none with more', { prompt: 'none login' }, 'invalid_request'],
    ['max_age', { max_age: '-1' }, 'invalid_request'],
    ['more than forms carry', { login_hint: 'a'.repeat(9000) }, 'invalid_request'],
    ['request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }, 'request_not_supported'],
    ['fragment', { response_mode: 'fragment' }, 'invalid_request'],
    ['hint of nobody', { id_token_hint: 'x.y.z' }, 'invalid_request'],
  ])('is told to the client at its address: %s', async (_, changes, error) => {
    const back = locationOf(await person.get(`/oauth/authorize?${authorizationQuery(publicClient, pkce().code_challenge, changes)}`))
    expect(`${back.origin}${back.pathname}`).toBe(CALLBACK)
    expect(back.searchParams.get('error')).toBe(error)
    expect(back.searchParams.get('state')).toBe('the-state')
    expect(back.searchParams.get('iss')).toBe(server.origin)
    expect(back.searchParams.has('code')).toBe(false)
  })

  test('a repeated parameter is refused, at the address unless it is the address', async () => {
    const query = authorizationQuery(publicClient, pkce().code_challenge)
    expect(locationOf(await person.get(`/oauth/authorize?${query}&scope=email`)).searchParams.get('error')).toBe('invalid_request')
    expect((await person.get(`/oauth/authorize?${query}&redirect_uri=${encodeURIComponent(CALLBACK)}`)).status).toBe(400)
    expect((await person.get(`/oauth/authorize?${query}&client_id=${publicClient.client_id}`)).status).toBe(400)
  })

  test('POST asks the same by GET, repeated parameters included', async () => {
    const query = authorizationQuery(publicClient, pkce().code_challenge)
    const reply = await http.post('/oauth/authorize', new URLSearchParams(`${query}&scope=email`))
    expect(reply.status).toBe(303)
    expect(reply.headers.location).toBe(`/oauth/authorize?${new URLSearchParams(`${query}&scope=email`)}`)
  })
})

describe('a code', () => {
  test.each([
    ['another client', async (good: Redeeming) => redeem(http, await register(http), good)],
    ['another verifier', async (good: Redeeming) => redeem(http, publicClient, { ...good, code_verifier: pkce().code_verifier })],
    [
      'no verifier',
      async ({ code, redirect_uri }: Redeeming) =>
        postAs(http, '/oauth/token', publicClient, { grant_type: 'authorization_code', code, redirect_uri }),
    ],
    ['another address', async (good: Redeeming) => redeem(http, publicClient, { ...good, redirect_uri: `${CALLBACK}/` })],
  ])('presented with %s is refused, and its owner can still use it', async (_, use) => {
    const good = await codeFor(person, publicClient)
    const reply = await use(good)
    expect(reply.status).toBe(400)
    expect(reply.json.error).toBe('invalid_grant')
    expect((await redeem(http, publicClient, good)).status).toBe(200)
  })

  test('replayed by its owner ends what it gave: refresh token at once, access token within the bound', async () => {
    const good = await codeFor(person, publicClient, { scope: 'openid offline_access' })
    const { access_token, refresh_token = '' } = (await redeem(http, publicClient, good)).json
    expect((await userinfo(access_token)).status).toBe(200)
    expect((await redeem(http, publicClient, good)).json.error).toBe('invalid_grant')
    expect((await refreshAs(http, publicClient, refresh_token)).json.error).toBe('invalid_grant')
    await msUntil(5_000, 401, () => userinfo(access_token))
  })

  test('replayed by a stranger ends nothing', async () => {
    const good = await codeFor(person, publicClient, { scope: 'openid offline_access' })
    const { refresh_token = '' } = (await redeem(http, publicClient, good)).json
    expect((await redeem(http, await register(http), good)).json.error).toBe('invalid_grant')
    expect((await redeem(http, publicClient, { ...good, code_verifier: pkce().code_verifier })).json.error).toBe('invalid_grant')
    expect((await refreshAs(http, publicClient, refresh_token)).status).toBe(200)
  })

  test('of an ended session is worth nothing', async () => {
    const { own } = await somebody('ended')
    const good = await codeFor(own, publicClient)
    expect((await own.post('/api/sign-out', {}, { origin: server.origin })).status).toBe(204)
    expect((await redeem(http, publicClient, good)).json.error).toBe('invalid_grant')
    own.close()
  })

  test('of another kind is no code: a refresh token, a session cookie, an access token', async () => {
    const { access_token, refresh_token = '' } = await tokensFor(http, person, publicClient, { scope: 'openid offline_access' })
    for (const code of [access_token, refresh_token, person.cookies.get('__Host-session') ?? '', 'x', 'A'.repeat(72)]) {
      const reply = await redeem(http, publicClient, { code, code_verifier: pkce().code_verifier, redirect_uri: CALLBACK })
      expect(reply.json.error).toBe('invalid_grant')
    }
  })
})

type Redeeming = { code: string; code_verifier: string; redirect_uri: string }

describe('refresh tokens of an OAuth client', () => {
  test('come with offline_access, rotate, and answer a repeat with the same successor', async () => {
    for (const client of [publicClient, confidential]) {
      expect((await tokensFor(http, person, client)).refresh_token).toBe(undefined)
      const { refresh_token = '' } = await tokensFor(http, person, client, { scope: 'openid offline_access' })
      const [a, b] = await Promise.all([refreshAs(http, client, refresh_token), refreshAs(http, client, refresh_token)])
      expect(a.json.refresh_token).toBe(b.json.refresh_token)
      expect(a.json.refresh_token).not.toBe(refresh_token)
      expect(a.json.id_token).toEqual(expect.any(String))
    }
  })

  test('belong to their client and never widen', async () => {
    const { refresh_token = '' } = await tokensFor(http, person, publicClient, { scope: 'openid offline_access' })
    expect((await refreshAs(http, confidential, refresh_token)).json.error).toBe('invalid_grant')
    expect((await refreshAs(http, publicClient, refresh_token, { scope: 'openid email' })).json.error).toBe('invalid_scope')
    expect((await refreshAs(http, publicClient, refresh_token, { resource: API })).json.error).toBe('invalid_target')
    expect((await http.post('/api/refresh', { refresh_token })).json.code).toBe('invalid_grant')
    expect((await http.post('/api/sign-out', { refresh_token })).status).toBe(400)
    const narrowed = await refreshAs(http, publicClient, refresh_token, { scope: 'openid' })
    expect(narrowed.json.scope).toBe('openid')
    expect((await refreshAs(http, publicClient, narrowed.json.refresh_token ?? '')).json.scope).toBe('openid offline_access')
  })

  test('with offline access outlive the sign-out, the access tokens of before do not; everything ends with log out everywhere', async () => {
    const { own } = await somebody('offline')
    const offline = await tokensFor(http, own, publicClient, { scope: 'openid offline_access' })
    expect((await own.post('/api/sign-out', {}, { origin: server.origin })).status).toBe(204)
    await msUntil(5_000, 401, () => userinfo(offline.access_token))
    const refreshed = await refreshAs(http, publicClient, offline.refresh_token ?? '')
    expect(refreshed.status).toBe(200)
    expect(claimsOf(refreshed.json.access_token).sid).toBe(undefined)
    expect((await userinfo(refreshed.json.access_token)).status).toBe(200)
    await signIn(own, 'offline@example.com')
    expect((await own.delete('/api/sessions', { origin: server.origin })).status).toBe(204)
    expect((await refreshAs(http, publicClient, refreshed.json.refresh_token ?? '')).json.error).toBe('invalid_grant')
    own.close()
  })

  test('two authorizations of one client are two families', async () => {
    const [one, two] = [
      await tokensFor(http, person, publicClient, { scope: 'openid offline_access' }),
      await tokensFor(http, person, publicClient, { scope: 'openid offline_access' }),
    ]
    expect((await postAs(http, '/oauth/revoke', publicClient, { token: one.refresh_token ?? '' })).status).toBe(200)
    expect((await refreshAs(http, publicClient, one.refresh_token ?? '')).json.error).toBe('invalid_grant')
    expect((await refreshAs(http, publicClient, two.refresh_token ?? '')).status).toBe(200)
  })
})

describe('client authentication', () => {
  test.each([
    ['a wrong secret', () => ({ ...confidential, client_secret: 'wrong' })],
    ['an unknown client', () => ({ ...confidential, client_id: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['no secret at all', () => ({ ...confidential, token_endpoint_auth_method: 'none' })],
    ['the secret in the form', () => ({ ...confidential, token_endpoint_auth_method: 'client_secret_post' })],
  ])('%s is invalid_client', async (_, change) => {
    const reply = await postAs<OAuthProblem>(http, '/oauth/token', change(), { grant_type: 'client_credentials' })
    expect(reply.status).toBe(401)
    expect(reply.json.error).toBe('invalid_client')
  })

  test('an unknown client and a wrong secret are one answer', async () => {
    const ask = async (client: Registered) =>
      (await postAs<OAuthProblem>(http, '/oauth/token', client, { grant_type: 'client_credentials' })).text
    expect(await ask({ ...confidential, client_secret: 'wrong' })).toBe(await ask({ ...confidential, client_id: 'AAAAAAAAAAAAAAAAAAAAAA' }))
  })

  test('two ways at once are refused', async () => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: confidential.client_id,
      client_secret: confidential.client_secret ?? '',
    })
    const reply = await http.post<OAuthProblem>('/oauth/token', form, basic(confidential))
    expect([reply.status, reply.json.error]).toEqual([400, 'invalid_request'])
  })
})

describe('client_credentials', () => {
  test('works without scope and resource, and the client can introspect its token', async () => {
    const machine = await register(http, {
      redirect_uris: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_basic',
    })
    const { access_token, refresh_token } = (await postAs(http, '/oauth/token', machine, { grant_type: 'client_credentials' })).json
    expect(refresh_token).toBe(undefined)
    expect(claimsOf(access_token)).toMatchObject({ sub: machine.client_id, client_id: machine.client_id, aud: server.origin, scope: '' })
    const described = await postAs<Record<string, unknown>>(http, '/oauth/introspect', machine, { token: access_token })
    expect(described.json).toMatchObject({ active: true, client_id: machine.client_id, sub: machine.client_id })
    expect((await postAs(http, '/oauth/introspect', confidential, { token: access_token })).json).toEqual({ active: false })
    expect((await postAs(http, '/oauth/revoke', machine, { token: access_token })).status).toBe(200)
    expect((await postAs(http, '/oauth/introspect', machine, { token: access_token })).json).toEqual({ active: false })
  })
})

describe('introspection and revocation', () => {
  test('a client sees its own tokens, and a revoked one is inactive at once', async () => {
    const { access_token, refresh_token = '' } = await tokensFor(http, person, confidential, { scope: 'openid offline_access' })
    for (const token of [access_token, refresh_token]) {
      expect((await postAs(http, '/oauth/introspect', confidential, { token })).json).toMatchObject({ active: true, sub: session.sub })
    }
    expect((await postAs(http, '/oauth/revoke', await register(http), { token: access_token })).status).toBe(200)
    expect((await postAs(http, '/oauth/introspect', confidential, { token: access_token })).json).toMatchObject({ active: true })
    expect((await postAs(http, '/oauth/revoke', confidential, { token: access_token })).status).toBe(200)
    expect((await postAs(http, '/oauth/introspect', confidential, { token: access_token })).json).toEqual({ active: false })
    await msUntil(5_000, 401, () => userinfo(access_token))
    expect((await postAs(http, '/oauth/introspect', confidential, { token: refresh_token })).json).toMatchObject({ active: true })
    expect((await postAs(http, '/oauth/revoke', confidential, { token: refresh_token })).status).toBe(200)
    expect((await postAs(http, '/oauth/introspect', confidential, { token: refresh_token })).json).toEqual({ active: false })
    expect((await refreshAs(http, confidential, refresh_token)).json.error).toBe('invalid_grant')
  })

  test('a public client may not introspect', async () => {
    const reply = await postAs<OAuthProblem>(http, '/oauth/introspect', publicClient, { token: 'x' })
    expect(reply.json.error).toBe('unauthorized_client')
  })
})
