import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  type Ask,
  authorizationQuery,
  authorize,
  CALLBACK,
  codeFor,
  decide,
  interactionIn,
  locationOf,
  pkce,
  postAs,
  type Registered,
  redeem,
  refreshAs,
  register,
  type TokenAnswer,
  tokensFor,
} from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { ASSERTION_TYPE, makeAssertion, makeKey, makeProof, tokenProof } from './client-proofs.ts'
import { DEVICE_GRANT, decideDevice, pollAs, startDevice } from './device-flow.ts'

const API = 'https://api.example.com'
const OTHER_API = 'https://other.example.com'
/** Two registered addresses of one client. */
const SECOND = 'https://app.example.com/second'

let server: Server
let http: Client
let ann: Client
let mallory: Client
let victim: Registered
let confidential: Registered
let evil: Registered
let evilSecret: Registered
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: `${API},${OTHER_API}`, SCOPES: 'notes:read notes:write' } })
  http = app(server.origin)
  ;[ann, mallory] = [browser(server.origin), browser(server.origin)]
  await signUp(ann, 'ann@example.com')
  await signUp(mallory, 'mallory@example.com')
  victim = await register(http, { redirect_uris: [CALLBACK, SECOND], grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT] })
  confidential = await register(http, { token_endpoint_auth_method: 'client_secret_post' })
  // What an attacker can have: clients of its own, with the very same address.
  evil = await register(http, { redirect_uris: [CALLBACK, SECOND], grant_types: ['authorization_code', 'refresh_token', DEVICE_GRANT] })
  evilSecret = await register(http, { token_endpoint_auth_method: 'client_secret_post' })
})
afterAll(async () => {
  for (const client of [http, ann, mallory]) client.close()
  await server.stop()
})

type Good = Awaited<ReturnType<typeof codeFor>>

const OFFLINE = { scope: 'openid offline_access' }
const token = (form: Record<string, string>, headers = {}) => http.post<TokenAnswer>('/oauth/token', new URLSearchParams(form), headers)
const as = ({ client_id, client_secret }: { client_id: string; client_secret?: string }) => ({
  client_id,
  ...(client_secret === undefined ? {} : { client_secret }),
})
const presented = (client: Registered, good: Partial<Good>) => ({ ...as(client), grant_type: 'authorization_code', ...good })

const expectRefused = (reply: Reply<TokenAnswer>, error = 'invalid_grant') => {
  expect([reply.status, reply.json.error, reply.json.access_token]).toEqual([400, error, undefined])
}

/** The owner of what was attacked has lost nothing. */
async function expectGood(client: Registered, good: Good): Promise<TokenAnswer> {
  const answer = requireStatus(await redeem(http, client, good), 200).json
  expect((await http.get('/oauth/userinfo', bearer(answer.access_token))).status).toBe(200)
  return answer
}

const paramsOf = (client: Registered, changes: Ask = {}) =>
  Object.fromEntries(new URLSearchParams(authorizationQuery(client, pkce().code_challenge, changes)))

const ask = (person: Client, client: Registered, changes: Ask) =>
  person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, changes)}`)

describe('mix-up', () => {
  test('every answer to a client, good or bad, says who it is from', async () => {
    const good = await authorize(ann, authorizationQuery(victim, pkce().code_challenge))
    const bad = locationOf(await ask(ann, victim, { scope: 'nonsense' }))
    const none = locationOf(await ask(browser(server.origin), victim, { prompt: 'none' }))
    const page = await ask(ann, await register(http), {})
    const denied = locationOf(await decide(ann, interactionIn(page), 'deny'))
    for (const back of [good, bad, none, denied]) expect(back.searchParams.getAll('iss')).toEqual([server.origin])
    const form = await ask(ann, victim, { response_mode: 'form_post' })
    expect(form.text).toMatch(new RegExp(`name="iss"[^>]*value="${server.origin}"`))
    expect((await http.get('/.well-known/openid-configuration')).json).toMatchObject({
      issuer: server.origin,
      authorization_response_iss_parameter_supported: true,
    })
  })

  test('an assertion made for another server is refused: only the issuer, alone, is its audience', async () => {
    const key = await makeKey()
    const metadata = {
      redirect_uris: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.jwk] },
    }
    const { client_id } = await register(http, metadata)
    const present = async (audience: string) => {
      const client_assertion = await makeAssertion(key, client_id, audience)
      return token({ grant_type: 'client_credentials', client_assertion_type: ASSERTION_TYPE, client_assertion })
    }
    for (const audience of [
      'https://honest.example',
      `${server.origin}/`,
      `${server.origin}/oauth/token`,
      server.origin.toUpperCase(),
      '',
    ]) {
      expect([audience, (await present(audience)).status]).toEqual([audience, 401])
    }
    expect((await present(server.origin)).status).toBe(200)
  })
})

describe('a PKCE downgrade', () => {
  test.each([
    ['challenge and method', { code_challenge: undefined, code_challenge_method: undefined }],
    ['the challenge', { code_challenge: undefined }],
    ['the method', { code_challenge_method: undefined }],
    ['S256, for plain', { code_challenge_method: 'plain' }],
    ['the challenge, for an empty one', { code_challenge: '' }],
    ['the challenge, for one of nothing', { code_challenge: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuF' }],
  ])('gives no code when somebody on the way takes away %s', async (_, changes) => {
    for (const client of [victim, confidential]) {
      const back = locationOf(await ask(ann, client, changes))
      expect([back.searchParams.get('error'), back.searchParams.has('code')]).toEqual(['invalid_request', false])
      expect((await postAs(http, '/oauth/par', client, paramsOf(client, changes))).status).toBe(400)
    }
  })

  test('gives no tokens for a code without a challenge when a verifier comes with it, or for one with a challenge without', async () => {
    const legacy = await register(http, { token_endpoint_auth_method: 'client_secret_post', legacy_oidc: true })
    const stripped = { code_challenge: undefined, code_challenge_method: undefined }
    const { code_verifier, ...bare } = await codeFor(ann, legacy, stripped)
    expectRefused(await token(presented(legacy, { ...bare, code_verifier })))
    expect((await token(presented(legacy, bare))).status).toBe(200)
    const { code_verifier: _, ...naked } = await codeFor(ann, legacy)
    expectRefused(await token(presented(legacy, naked)))
  })

  test.each([
    ['none', () => ''],
    ['another one', () => pkce().code_verifier],
    ['the challenge itself', ({ code_verifier }: Good) => createHash('sha256').update(code_verifier).digest('base64url')],
    ['one more character', ({ code_verifier }: Good) => `${code_verifier}A`],
    ['another case', ({ code_verifier }: Good) => code_verifier.toLowerCase()],
  ])('is refused at the token endpoint: verifier %s', async (_, change) => {
    const good = await codeFor(ann, victim)
    expectRefused(await token(presented(victim, { ...good, code_verifier: change(good) })))
    await expectGood(victim, good)
  })
})

describe('a redirect swap', () => {
  test.each([
    ['the other registered address', SECOND],
    ['a path more', `${CALLBACK}/x`],
    ['a query more', `${CALLBACK}?x=1`],
    ['another host', 'https://evil.example/callback'],
    ['another case', CALLBACK.toUpperCase()],
  ])('between authorization and token request is refused, and the code stays good: %s', async (_, redirect_uri) => {
    const good = await codeFor(ann, victim)
    expectRefused(await redeem(http, victim, { ...good, redirect_uri }))
    await expectGood(victim, good)
  })

  test.each([
    ['a pushed request', async (changes: Ask) => postAs(http, '/oauth/par', victim, paramsOf(victim, changes))],
    ['an authorization request', async (changes: Ask) => ask(ann, victim, changes)],
  ])('in %s reaches nobody', async (_, send) => {
    for (const redirect_uri of ['https://evil.example/callback', `${CALLBACK}@evil.example`, 'javascript:alert(1)', `${CALLBACK}#x`]) {
      const reply: Reply<unknown> = await send({ redirect_uri })
      expect([redirect_uri, reply.status, reply.headers.location]).toEqual([redirect_uri, 400, undefined])
    }
  })

  test('beside a request_uri, or beside the seal of our own pages, changes nothing', async () => {
    const { request_uri } = requireStatus(
      await postAs<{ request_uri: string }>(http, '/oauth/par', victim, paramsOf(victim, { state: 'pushed' })),
      201,
    ).json
    const beside = { redirect_uri: SECOND, scope: 'openid email offline_access notes:write', state: 'swapped', response_mode: 'form_post' }
    const visit = new URLSearchParams({ client_id: victim.client_id, request_uri, ...beside })
    const on = locationOf(requireStatus(await ann.get(`/oauth/authorize?${visit}`), 303))
    expect([...on.searchParams.keys()]).toEqual(['interaction'])
    const back = locationOf(requireStatus(await ann.get(`${on.pathname}${on.search}&${new URLSearchParams(beside)}`), 303))
    expect([`${back.origin}${back.pathname}`, back.searchParams.get('state'), back.searchParams.has('code')]).toEqual([
      CALLBACK,
      'pushed',
      true,
    ])
  })
})

describe('scope widening', () => {
  test('is refused at every step: what the person allowed is the most that there is', async () => {
    const client = await register(http)
    const { refresh_token = '', ...first } = await tokensFor(http, ann, client, { scope: 'openid offline_access notes:read' })
    expect(first.scope).toBe('openid offline_access notes:read')
    for (const scope of ['notes:write', 'openid notes:read notes:write', 'email', 'account', 'roles']) {
      expectRefused(await refreshAs(http, client, refresh_token, { scope }), 'invalid_scope')
    }
    const good = await codeFor(ann, client, { scope: 'openid' })
    const redeemed = await token({ ...presented(client, good), scope: 'openid email notes:write' })
    expect([redeemed.json.scope, claimsOf(redeemed.json.access_token).scope]).toEqual(['openid', 'openid'])
    // More than was allowed before is asked about again.
    expect((await ask(ann, client, { scope: 'openid notes:write' })).status).toBe(200)
    const silent = locationOf(await ask(ann, client, { scope: 'openid notes:write', prompt: 'none' }))
    expect(silent.searchParams.get('error')).toBe('consent_required')
    const { json } = await refreshAs(http, client, refresh_token)
    expect(json.scope).toBe('openid offline_access notes:read')
  })

  test('beyond what the client registered gives what it registered', async () => {
    const narrow = await register(http, { scope: 'openid notes:read' })
    expect((await tokensFor(http, ann, narrow, { scope: 'openid notes:read notes:write email' })).scope).toBe('openid notes:read')
    expect(locationOf(await ask(ann, narrow, { scope: 'notes:write' })).searchParams.get('error')).toBe('invalid_scope')
    const machine = await register(http, {
      redirect_uris: [],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'client_secret_post',
      scope: 'notes:read',
    })
    expectRefused(await token({ ...as(machine), grant_type: 'client_credentials', scope: 'notes:read notes:write' }), 'invalid_scope')
    expectRefused(await token({ ...as(machine), grant_type: 'client_credentials', scope: 'account' }), 'invalid_scope')
  })

  test('to another resource is refused, with a code and with a refresh token', async () => {
    const good = await codeFor(ann, victim, { ...OFFLINE, resource: API })
    expectRefused(await token({ ...presented(victim, good), resource: OTHER_API }), 'invalid_target')
    const { access_token, refresh_token = '' } = requireStatus(await redeem(http, victim, good), 200).json
    expect(claimsOf(access_token).aud).toBe(API)
    for (const resource of [OTHER_API, server.origin])
      expectRefused(await refreshAs(http, victim, refresh_token, { resource }), 'invalid_target')
    expect(claimsOf((await refreshAs(http, victim, refresh_token)).json.access_token).aud).toBe(API)
  })

  test('of a device is refused, or decided by the person', async () => {
    const narrow = await register(http, { redirect_uris: [], grant_types: [DEVICE_GRANT], scope: 'openid' })
    const asked = await postAs<TokenAnswer>(http, '/oauth/device_authorization', narrow, { scope: 'openid notes:write' })
    expectRefused(asked, 'invalid_scope')
    const device = await startDevice(http, narrow, 'openid')
    await decideDevice(ann, device, 'allow')
    const wide = { ...as(narrow), grant_type: DEVICE_GRANT, device_code: device.device_code, scope: 'openid notes:write' }
    expect((await token(wide)).json.scope).toBe('openid')
  })
})

describe('of one client, used by another', () => {
  const others = (): [string, Registered][] => [
    ['a public client', evil],
    ['a confidential one', evilSecret],
    ['the same id, with a secret that it has not', { ...victim, client_secret: 'x', token_endpoint_auth_method: 'client_secret_post' }],
  ]

  test('a code is refused, and its owner has lost nothing', async () => {
    const good = await codeFor(ann, victim, OFFLINE)
    for (const [, other] of others()) expect((await redeem(http, other, good)).status).toBeGreaterThanOrEqual(400)
    const { refresh_token = '' } = await expectGood(victim, good)
    for (const [, other] of others()) expect((await redeem(http, other, good)).status).toBeGreaterThanOrEqual(400)
    expect((await refreshAs(http, victim, refresh_token)).status).toBe(200)
  })

  test('a refresh token is refused, shown to nobody, not ended; and its owner has lost nothing', async () => {
    const { access_token, refresh_token = '' } = await tokensFor(http, ann, confidential, OFFLINE)
    for (const [, other] of others()) expect((await refreshAs(http, other, refresh_token)).status).toBeGreaterThanOrEqual(400)
    for (const value of [access_token, refresh_token]) {
      expect((await postAs(http, '/oauth/introspect', evilSecret, { token: value })).json).toEqual({ active: false })
      for (const other of [evil, evilSecret]) expect((await postAs(http, '/oauth/revoke', other, { token: value })).status).toBe(200)
      expect((await postAs(http, '/oauth/introspect', confidential, { token: value })).json).toMatchObject({ active: true })
    }
    expect((await refreshAs(http, confidential, refresh_token)).status).toBe(200)
  })

  test('a request_uri is refused and stays good, whatever stands beside it', async () => {
    const { request_uri } = requireStatus(await postAs<{ request_uri: string }>(http, '/oauth/par', victim, paramsOf(victim)), 201).json
    const visit = (client: Registered) => mallory.get(`/oauth/authorize?${new URLSearchParams({ ...paramsOf(client), request_uri })}`)
    expect((await visit(evil)).status).toBe(400)
    // A visit uses nothing up; the one that a code is given to does (code-storm.test.ts).
    expect((await visit(victim)).status).toBe(303)
    expect((await visit(victim)).status).toBe(303)
  })

  test('a pushed request cannot be pushed for it, and names the one that pushed', async () => {
    const asVictim = { ...paramsOf(victim), client_id: evil.client_id }
    const { request_uri } = requireStatus(await http.post<{ request_uri: string }>('/oauth/par', new URLSearchParams(asVictim)), 201).json
    const visit = await ann.get(`/oauth/authorize?${new URLSearchParams({ client_id: victim.client_id, request_uri })}`)
    expect(visit.status).toBe(400)
    const forged = new URLSearchParams({ ...paramsOf(confidential), client_secret: evilSecret.client_secret ?? '' })
    expect((await http.post('/oauth/par', forged)).status).toBe(401)
  })

  test('a device code is refused, before and after the person has decided, and stays good', async () => {
    const device = await startDevice(http, victim, 'openid')
    expectRefused(await pollAs(http, evil, device.device_code))
    await decideDevice(ann, device, 'allow')
    expectRefused(await pollAs(http, evil, device.device_code))
    expect((await pollAs(http, victim, device.device_code)).status).toBe(200)
    expectRefused(await pollAs(http, victim, device.device_code))
  })

  test('the code behind an approved device is redeemed by nobody as a code', async () => {
    const device = await startDevice(http, victim, 'openid')
    await decideDevice(ann, device, 'allow')
    expectRefused(await token(presented(victim, { code: device.device_code })))
    expectRefused(await token(presented(victim, { code: device.user_code })))
    expect((await pollAs(http, victim, device.device_code)).status).toBe(200)
  })

  test('a consent is none for another client with the same address', async () => {
    const fresh = browser(server.origin)
    await signUp(fresh, 'consents@example.com')
    await authorize(fresh, authorizationQuery(victim, pkce().code_challenge))
    expect(locationOf(await ask(fresh, evil, { prompt: 'none' })).searchParams.get('error')).toBe('consent_required')
    expect(locationOf(await ask(fresh, victim, { prompt: 'none', redirect_uri: SECOND })).searchParams.get('error')).toBe(
      'consent_required',
    )
    fresh.close()
  })

  test('a registration access token manages nothing, nor a secret', async () => {
    for (const own of [evil.registration_access_token, confidential.client_secret ?? '']) {
      for (const [method, path, body] of [
        ['GET', '', undefined],
        ['PUT', '', { redirect_uris: ['https://evil.example/cb'], client_id: confidential.client_id }],
        ['POST', '/secret', undefined],
        ['DELETE', '', undefined],
      ] as const) {
        const reply = await http.request(method, `/oauth/register/${confidential.client_id}${path}`, body, bearer(own))
        expect([method, reply.status]).toEqual([method, 401])
      }
    }
    await expectGood(confidential, await codeFor(ann, confidential))
  })

  test('a proof of another key opens nothing that is bound to one', async () => {
    const [mine, theirs] = [await makeKey(), await makeKey()]
    const good = await codeFor(ann, victim, { ...OFFLINE, dpop_jkt: mine.jkt })
    expectRefused(await token(presented(victim, good), await tokenProof(http, theirs)))
    expectRefused(await token(presented(victim, good)))
    const bound = requireStatus(await token(presented(victim, good), await tokenProof(http, mine)), 200).json
    const { access_token, refresh_token = '' } = bound
    expect(bound.token_type).toBe('DPoP')
    const refresh = { ...as(victim), grant_type: 'refresh_token', refresh_token }
    expectRefused(await token(refresh))
    expectRefused(await token(refresh, await tokenProof(http, theirs)))
    const proof = (key: typeof mine) => makeProof(key, { method: 'GET', url: `${server.origin}/oauth/userinfo`, accessToken: access_token })
    const userinfo = (headers: Record<string, string>) => http.get('/oauth/userinfo', headers)
    expect((await userinfo(bearer(access_token))).status).toBe(401)
    expect((await userinfo({ authorization: `DPoP ${access_token}`, dpop: await proof(theirs) })).status).toBe(401)
    expect((await userinfo({ authorization: `Bearer ${access_token}`, dpop: await proof(mine) })).status).toBe(401)
    expect((await userinfo({ authorization: `DPoP ${access_token}`, dpop: await proof(mine) })).status).toBe(200)
    expect((await token(refresh, await tokenProof(http, mine))).status).toBe(200)
  })
})

describe('one person, and the page of another', () => {
  test('a device that somebody else has looked at can be decided by nobody but them', async () => {
    const device = await startDevice(http, victim, 'openid')
    const looked = await mallory.post('/device', new URLSearchParams({ user_code: device.user_code }), { origin: server.origin })
    expect(looked.status).toBe(200)
    const decided = await ann.post('/device', new URLSearchParams({ user_code: device.user_code, decision: 'allow' }), {
      origin: server.origin,
    })
    expect(decided.text).toContain('no such code')
    expectRefused(await pollAs(http, victim, device.device_code), 'authorization_pending')
  })

  test('what a page asked one account is not allowed by another, whatever the decision says', async () => {
    const client = await register(http)
    const page = await ask(mallory, client, {})
    const shown = await decide(ann, interactionIn(page), 'allow')
    expect([shown.status, shown.headers.location]).toEqual([200, undefined])
    expect(locationOf(await ask(ann, client, { prompt: 'none' })).searchParams.get('error')).toBe('consent_required')
  })

  test('a code of one person gives another nothing of theirs: it names who allowed it', async () => {
    const good = await codeFor(mallory, victim)
    const { id_token = '', access_token } = await expectGood(victim, good)
    const me = (await mallory.get<{ sub: string }>('/api/session')).json
    expect([claimsOf(id_token).sub, claimsOf(access_token).sub]).toEqual([me.sub, me.sub])
  })
})
