import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sized } from '../proof/size.ts'
import type { Client } from '../support/node/http.ts'
import { type OAuthProblem, pkce, postAs, type Registered, refreshAs } from '../support/node/oauth.ts'
import { app, browser, headerOf, msUntil, PASSWORD, requireStatus, type Session } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { follow, visit } from './journey.ts'
import {
  type Completed,
  checkTokenAnswer,
  checkTokenError,
  codeIn,
  entropyOf,
  errorIn,
  type Party,
  PRINTABLE,
  partyOf,
  pathOf,
  REDIRECT,
  registerParty,
  request,
} from './relying-party.ts'

let server: Server
let http: Client
let party: Party
let client: Registered
let session: Session
const metadata: Record<string, unknown> = {}
const browsers: Client[] = []

/** Somebody who is not signed in. */
function stranger(): Client {
  const own = browser(server.origin)
  browsers.push(own)
  return own
}

/** A person with a session and no consent: the client is new with every module, as the suite's is. */
async function signedIn(): Promise<{ person: Client; first: Completed }> {
  const person = stranger()
  const first = await party.complete(person, client)
  expect(first.arrival.shown).toEqual(['sign-in', 'consent'])
  return { person, first }
}

/** A second that `auth_time` can tell from the given one. */
async function untilSecond(second: number): Promise<void> {
  await sleep(Math.max(0, second * 1000 - Date.now()) + 10)
}

beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  party = partyOf(http, { email: 'ann@example.com', password: PASSWORD })
  const person = browser(server.origin)
  session = requireStatus(await person.post<Session>('/api/sign-up', { ...party.who, name: 'Ann Example' }), 201).json
  person.close()
  client = await registerParty(http)
  Object.assign(metadata, (await http.get('/.well-known/openid-configuration')).json)
})
afterEach(async () => {
  for (const own of browsers.splice(0)) own.close()
  client = await registerParty(http)
})
afterAll(async () => {
  http.close()
  await server.stop()
})

describe('oidcc-basic-certification-test-plan', () => {
  test('oidcc-server', async () => {
    const { first } = await signedIn()
    expect(first.code.length * 8).toBeGreaterThanOrEqual(128)
    for (const secret of [first.code, first.tokens.access_token]) expect(entropyOf(secret)).toBeGreaterThanOrEqual(96)
    expect(first.claims).toMatchObject({ sub: session.sub, aud: client.client_id, acr: session.acr, amr: ['pwd'] })
    expect(first.tokens.scope).toBe('openid')
    const published = (await http.get<{ keys: { kid: string; alg: string; use: string }[] }>('/.well-known/jwks.json')).json.keys
    expect(new Set(published.map(({ kid }) => kid)).size).toBe(published.length)
    expect(published.every((key) => !('d' in key) && key.kid !== '' && key.use === 'sig')).toBe(true)
  })

  test('oidcc-response-type-missing', async () => {
    const sent = request(client, { response_type: undefined })
    expect(errorIn(await visit(stranger(), pathOf(sent), party.who), sent, party.issuer)).toBe('invalid_request')
  })

  test('oidcc-idtoken-signature', async () => {
    const { first } = await signedIn()
    const { alg, kid } = headerOf(first.tokens.id_token ?? '')
    const key = (await http.get<{ keys: { kid: string; alg: string }[] }>('/.well-known/jwks.json')).json.keys.find((it) => it.kid === kid)
    expect([alg, key?.alg]).toEqual(['RS256', 'RS256'])
  })

  test('oidcc-idtoken-unsigned', async () => {
    expect(metadata.id_token_signing_alg_values_supported).not.toContain('none')
    const members = { redirect_uris: [REDIRECT], id_token_signed_response_alg: 'none' }
    const refused = await http.post<OAuthProblem>('/oauth/register', members)
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_client_metadata'])
  })

  test('oidcc-userinfo-get', async () => {
    const { first } = await signedIn()
    expect(party.checkUserinfo(await party.userinfo(first.tokens.access_token), session.sub)).toEqual({ sub: session.sub })
  })

  test('oidcc-userinfo-post-header', async () => {
    const { first } = await signedIn()
    const headers = { authorization: `Bearer ${first.tokens.access_token}` }
    party.checkUserinfo(await http.post('/oauth/userinfo', undefined, headers), session.sub)
  })

  test('oidcc-userinfo-post-body', async () => {
    const { first } = await signedIn()
    const form = new URLSearchParams({ access_token: first.tokens.access_token })
    party.checkUserinfo(await http.post('/oauth/userinfo', form), session.sub)
    const both = await http.post('/oauth/userinfo', form, { authorization: `Bearer ${first.tokens.access_token}` })
    expect(both.status).toBeGreaterThanOrEqual(400)
  })

  test('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', async () => {
    const { claims } = await party.complete(stranger(), client, { nonce: undefined })
    expect(claims).not.toHaveProperty('nonce')
  })

  const PROFILE = { name: 'Ann Example' }
  const EMAIL = { email: 'ann@example.com', email_verified: false }
  test.each([
    ['oidcc-scope-profile', 'openid profile', 'openid profile', PROFILE],
    ['oidcc-scope-email', 'openid email', 'openid email', EMAIL],
    // Not offered, so the suite skips them; a client that asks all the same is served without them.
    ['oidcc-scope-address', 'openid address', 'openid', {}],
    ['oidcc-scope-phone', 'openid phone', 'openid', {}],
    ['oidcc-scope-all', 'openid email phone address profile', 'openid email profile', { ...PROFILE, ...EMAIL }],
  ])('%s', async (_, asked, granted, expected) => {
    const { tokens } = await party.complete(stranger(), client, { scope: asked })
    expect(tokens.scope.split(' ').sort()).toEqual(granted.split(' ').sort())
    expect(party.checkUserinfo(await party.userinfo(tokens.access_token), session.sub)).toEqual({ sub: session.sub, ...expected })
    for (const scope of asked.split(' ')) {
      expect((metadata.scopes_supported as string[]).includes(scope), scope).toBe(granted.split(' ').includes(scope))
    }
  })

  test('oidcc-alternate-happy-flow', async () => {
    const sent = request(client, { scope: 'email openid' })
    const reversed = Object.fromEntries(Object.entries(sent).sort(([a], [b]) => (a < b ? 1 : -1)))
    const { tokens } = await party.finish(client, sent, await visit(stranger(), pathOf(reversed), party.who))
    expect(party.checkUserinfo(await party.userinfo(tokens.access_token), session.sub)).toMatchObject(EMAIL)
  })

  test.each([
    ['oidcc-display-page', { display: 'page' }],
    ['oidcc-display-popup', { display: 'popup' }],
    ['oidcc-ensure-request-with-unknown-parameter-succeeds', { extra: 'foobar' }],
    ['oidcc-ui-locales', { ui_locales: 'se' }],
    ['oidcc-claims-locales', { claims_locales: 'se' }],
  ])('%s', async (_, changes) => {
    const { arrival } = await party.complete(stranger(), client, changes)
    expect(arrival.shown).toEqual(['sign-in', 'consent'])
  })

  test('oidcc-prompt-login', async () => {
    const { person, first } = await signedIn()
    await untilSecond(Number(first.claims.auth_time) + 1)
    const second = await party.complete(person, client, { prompt: 'login' })
    expect(second.arrival.shown).toEqual(['sign-in'])
    expect(second.claims.auth_time).toBeGreaterThan(Number(first.claims.auth_time))
    expect(second.claims.sub).toBe(first.claims.sub)
  })

  test('oidcc-prompt-none-not-logged-in', async () => {
    const { sent, arrival } = await party.silently(stranger(), client)
    expect(sent.state).toHaveLength(128)
    expect(errorIn(arrival, sent, party.issuer)).toBe('login_required')
  })

  test('oidcc-prompt-none-logged-in', async () => {
    const { person, first } = await signedIn()
    const { sent, arrival } = await party.silently(person, client)
    const second = await party.finish(client, sent, arrival)
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
    const other = await registerParty(http)
    const unasked = await party.silently(person, other)
    expect(errorIn(unasked.arrival, unasked.sent, party.issuer)).toBe('consent_required')
  })

  test('oidcc-max-age-1', async () => {
    const { person, first } = await signedIn()
    await untilSecond(Number(first.claims.auth_time) + 2)
    const silent = await party.silently(person, client, { max_age: '1' })
    expect(errorIn(silent.arrival, silent.sent, party.issuer)).toBe('login_required')
    const second = await party.complete(person, client, { max_age: '1' })
    expect(second.arrival.shown).toEqual(['sign-in'])
    expect(second.claims.auth_time).toBeGreaterThan(Number(first.claims.auth_time))
  })

  test('oidcc-max-age-10000', async () => {
    const person = stranger()
    const first = await party.complete(person, client, { max_age: '15000' })
    const second = await party.complete(person, client, { max_age: '10000' })
    expect(second.arrival.shown).toEqual([])
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
  })

  test('oidcc-id-token-hint', async () => {
    const { person, first } = await signedIn()
    const { sent, arrival } = await party.silently(person, client, { id_token_hint: first.tokens.id_token })
    const second = await party.finish(client, sent, arrival)
    expect([second.claims.sub, second.claims.auth_time]).toEqual([first.claims.sub, first.claims.auth_time])
  })

  test('oidcc-login-hint', async () => {
    const { arrival } = await party.complete(stranger(), client, { login_hint: 'buffy@localhost' })
    expect(arrival.pages[0]?.text).toContain('value="buffy@localhost"')
  })

  test('oidcc-ensure-request-with-acr-values-succeeds', async () => {
    const offered = metadata.acr_values_supported as string[]
    expect(offered).not.toEqual([])
    const { claims } = await party.complete(stranger(), client, { acr_values: offered.join(' ') })
    expect(offered).toContain(claims.acr)
    await party.complete(stranger(), client, { acr_values: '1 2' })
  })

  test('oidcc-codereuse', async () => {
    const { first } = await signedIn()
    checkTokenError(await party.exchange(client, first.code), 'invalid_grant')
  })

  // The age of a used code changes nothing until it expires at 60 s: the real 30 s are waited for in the long run.
  test('oidcc-codereuse-30seconds', async () => {
    const { first } = await signedIn()
    await sleep(sized(200, 30_000))
    checkTokenError(await party.exchange(client, first.code), 'invalid_grant')
    await msUntil(5_000, 401, () => party.userinfo(first.tokens.access_token))
  })

  test('oidcc-ensure-registered-redirect-uri', async () => {
    for (const redirect_uri of [`${REDIRECT}/unregistered`, `${REDIRECT}?a=b`, 'https://rp.example.com/']) {
      const arrival = await visit(stranger(), pathOf(request(client, { redirect_uri })), party.who)
      expect([arrival.url, arrival.shown, arrival.last.status]).toEqual([null, [], 400])
      expect(arrival.last.text).toContain('not registered')
    }
  })

  test('oidcc-ensure-post-request-succeeds', async () => {
    const { person } = await signedIn()
    const sent = request(client)
    // Posted by the client's own page: a browser leaves out the session cookie (SameSite=Lax).
    const posted = await person.post('/oauth/authorize', new URLSearchParams(sent), { origin: 'https://rp.example.com', cookie: '' })
    await party.finish(client, sent, await follow(person, posted, party.who))
  })

  test('oidcc-server-client-secret-post', async () => {
    const posting = await registerParty(http, { token_endpoint_auth_method: 'client_secret_post' })
    await party.complete(stranger(), posting)
    expect(metadata.token_endpoint_auth_methods_supported).toEqual(expect.arrayContaining(['client_secret_basic', 'client_secret_post']))
  })

  test('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', async () => {
    let fetched = 0
    const listener = createServer((_, response) => {
      fetched += 1
      response.end()
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => listener.once('listening', resolve))
    const request_uri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/request.jwt#fragment`
    const sent = request(client, { request_uri, state: undefined, nonce: undefined })
    expect(errorIn(await visit(stranger(), pathOf(sent), party.who), sent, party.issuer)).toBe('request_uri_not_supported')
    expect(metadata.request_uri_parameter_supported).toBe(false)
    expect(fetched).toBe(0)
    listener.close()
  })

  const unsigned = (claims: object) =>
    `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

  test('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', async () => {
    const sent = request(client, { request: unsigned(request(client)), state: undefined, nonce: undefined })
    expect(errorIn(await visit(stranger(), pathOf(sent), party.who), sent, party.issuer)).toBe('request_not_supported')
    expect(metadata.request_parameter_supported).toBe(false)
  })

  test('oidcc-claims-essential', async () => {
    const claims = JSON.stringify({ userinfo: { name: { essential: true } } })
    const { tokens } = await party.complete(stranger(), client, { claims })
    // The parameter is not supported and says so; the name is had by the scope.
    expect(metadata.claims_parameter_supported).toBe(false)
    party.checkUserinfo(await party.userinfo(tokens.access_token), session.sub)
  })

  test('oidcc-ensure-request-object-with-redirect-uri', async () => {
    const sent = request(client, { request: unsigned(request(client)), redirect_uri: `${REDIRECT}/bad` })
    const arrival = await visit(stranger(), pathOf(sent), party.who)
    expect([arrival.url, arrival.last.status]).toEqual([null, 400])
  })

  test('oidcc-refresh-token', async () => {
    const person = stranger()
    const scope = 'openid offline_access'
    const first = await party.complete(person, client, { scope, prompt: 'consent' })
    expect(first.tokens.refresh_token).toMatch(PRINTABLE)
    expect(metadata.grant_types_supported).toContain('refresh_token')
    const refreshed = checkTokenAnswer(await refreshAs(http, client, first.tokens.refresh_token ?? '', { scope }))
    expect(entropyOf(refreshed.access_token)).toBeGreaterThanOrEqual(96)
    expect(entropyOf(refreshed.refresh_token ?? '')).toBeGreaterThanOrEqual(96)
    expect(refreshed.access_token).not.toBe(first.tokens.access_token)
    const again = JSON.parse(Buffer.from(refreshed.id_token?.split('.')[1] ?? '', 'base64url').toString())
    const { iss, sub, aud, auth_time, iat = 0 } = first.claims
    expect(again).toMatchObject({ iss, sub, aud, auth_time })
    expect(again.iat).toBeGreaterThanOrEqual(iat)
    expect(again).not.toHaveProperty('azp')
    party.checkUserinfo(await party.userinfo(refreshed.access_token), session.sub)

    const second = await registerParty(http)
    const others = await party.complete(person, second, { scope, prompt: 'consent' })
    checkTokenError(await refreshAs(http, client, others.tokens.refresh_token ?? ''), 'invalid_grant')
    checkTokenAnswer(await refreshAs(http, second, others.tokens.refresh_token ?? ''))
  })

  test('oidcc-ensure-request-with-valid-pkce-succeeds', async () => {
    const person = stranger()
    const { code_challenge, code_verifier } = pkce()
    const changes = { code_challenge, code_challenge_method: 'S256' }
    await party.complete(person, client, changes, { code_verifier })
    // Sent once, the challenge counts: nobody can take the verifier away.
    const sent = request(client, changes)
    const code = codeIn(await visit(person, pathOf(sent), party.who), sent, party.issuer)
    checkTokenError(await party.exchange(client, code), 'invalid_grant')
  })
})

describe('legacy_oidc', () => {
  test('is what these modules need: without it, a confidential client sends PKCE as well', async () => {
    const strict = await registerParty(http, { legacy_oidc: false })
    const sent = request(strict)
    expect(errorIn(await visit(stranger(), pathOf(sent), party.who), sent, party.issuer)).toBe('invalid_request')
    const { code_challenge, code_verifier } = pkce()
    const changes = { code_challenge, code_challenge_method: 'S256' }
    await party.complete(stranger(), strict, changes, { code_verifier })
  })

  test('does not take a verifier that no challenge asked for', async () => {
    const sent = request(client)
    const code = codeIn(await visit(stranger(), pathOf(sent), party.who), sent, party.issuer)
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: pkce().code_verifier }
    checkTokenError(await postAs(http, '/oauth/token', client, form), 'invalid_grant')
  })
})
