// FAPI 2 security profile, what is asked at PAR and the authorization endpoint: one test a module of the OpenID Foundation's
// fapi2-security-profile-final-test-plan, by its name (table in fapi.md; the rest of them in fapi-proofs.test.ts).
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import {
  authorizePushed,
  type FapiClient,
  fapiClient,
  push,
  pushedForm,
  pushedQuery,
  redeem,
  tokensFor,
  userinfo,
} from '../support/node/fapi.ts'
import type { Client, Reply } from '../support/node/http.ts'
import { type Ask, authorize, CALLBACK, decide, interactionIn, locationOf, type OAuthProblem, pkce } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, PASSWORD, requireStatus, type Session, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const MODULE = 'fapi2-security-profile-final-'
const OTHER_CALLBACK = 'https://app.example.com/other?tenant=1'

let server: Server
let http: Client
let person: Client
let session: Session
let client: FapiClient
let second: FapiClient
beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  person = browser(server.origin)
  session = await signUp(person, 'ann@example.com')
  client = await fapiClient(http, { redirect_uris: [CALLBACK, OTHER_CALLBACK] })
  second = await fapiClient(http, { redirect_uris: [CALLBACK, OTHER_CALLBACK] })
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const visit = (query: string) => person.get(`/oauth/authorize?${query}`)

async function verifiedIdToken(id_token: string | undefined, audience: string) {
  const keys = createRemoteJWKSet(new URL(server.url('/.well-known/jwks.json')))
  return (await jwtVerify(id_token ?? '', keys, { issuer: server.origin, audience, algorithms: ['ES256'] })).payload
}

/** The address somebody is sent back to and the ID token's claims, for a request pushed with changes. */
async function flow(changes: Ask) {
  const { back, code_verifier, redirect_uri } = await authorizePushed(person, client, changes)
  const code = back.searchParams.get('code') ?? ''
  const tokens = requireStatus(await redeem(client, { code, code_verifier, redirect_uri }), 200).json
  return { back, tokens, claims: await verifiedIdToken(tokens.id_token, client.client_id) }
}

/** A refusal on our own page: nobody is sent anywhere. */
function expectPage(reply: Reply<unknown>) {
  expect(reply.status, reply.text.slice(0, 200)).toBe(400)
  expect(reply.headers.location).toBe(undefined)
  expect(reply.headers['content-type']).toMatch(/^text\/html/)
}

async function expectRefusedPush(changes: Ask, error = 'invalid_request') {
  const reply = await push(client, pkce().code_challenge, changes)
  expect(reply.status, reply.text).toBe(400)
  expect((reply as Reply<unknown> as Reply<OAuthProblem>).json.error).toBe(error)
  expect(reply.headers['content-type']).toBe('application/json')
  expect(reply.headers['cache-control']).toBe('no-store')
}

describe('the way through', () => {
  test(`${MODULE}discovery-end-point-verification`, async () => {
    const metadata = (await http.get('/.well-known/openid-configuration')).json
    expect(metadata).toMatchObject({
      issuer: server.origin,
      authorization_endpoint: expect.stringContaining(server.origin),
      token_endpoint: expect.stringContaining(server.origin),
      pushed_authorization_request_endpoint: server.url('/oauth/par'),
      registration_endpoint: server.url('/oauth/register'),
      jwks_uri: expect.stringContaining(server.origin),
      response_types_supported: expect.arrayContaining(['code']),
      authorization_response_iss_parameter_supported: true,
      require_pushed_authorization_requests: expect.any(Boolean),
      code_challenge_methods_supported: expect.arrayContaining(['S256']),
      token_endpoint_auth_methods_supported: expect.arrayContaining(['private_key_jwt']),
      scopes_supported: expect.arrayContaining(['openid']),
      subject_types_supported: ['public'],
    })
    for (const name of [
      'dpop_signing_alg_values_supported',
      'token_endpoint_auth_signing_alg_values_supported',
      'id_token_signing_alg_values_supported',
    ]) {
      expect(metadata[name]).toEqual(expect.arrayContaining(['ES256']))
    }
    expect(metadata.dpop_signing_alg_values_supported).not.toContain('RS256')
  })

  test(`${MODULE}happy-flow`, async () => {
    for (const [party, redirect_uri] of [
      [client, CALLBACK],
      [second, OTHER_CALLBACK],
    ] as const) {
      const { code_verifier, code_challenge } = pkce()
      const pushed = await push(party, code_challenge, { redirect_uri, scope: 'openid email' })
      expect(pushed.status).toBe(201)
      expect(pushed.json).toEqual({ request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{40,}$/), expires_in: 60 })
      const back = await authorize(person, pushedQuery(party, pushed.json.request_uri))
      expect(back.href.startsWith(redirect_uri)).toBe(true)
      expect(Object.fromEntries(back.searchParams)).toMatchObject({ code: expect.any(String), state: 'the-state', iss: server.origin })
      const reply = await redeem(party, { code: back.searchParams.get('code') ?? '', code_verifier, redirect_uri })
      expect(reply.status, reply.text).toBe(200)
      expect(reply.headers['cache-control']).toBe('no-store')
      const { access_token, token_type, id_token } = reply.json
      expect(token_type).toBe('DPoP')
      expect(claimsOf(access_token)).toMatchObject({ sub: session.sub, cnf: { jkt: await jwkThumbprint(party.dpop.jwk) } })
      expect(await verifiedIdToken(id_token, party.client_id)).toMatchObject({ sub: session.sub, nonce: 'the-nonce' })
      const claims = await userinfo(http, party, access_token)
      expect([claims.status, claims.json]).toEqual([200, { sub: session.sub, email: 'ann@example.com', email_verified: false }])
      const other = party === client ? second : client
      expect((await userinfo(http, other, access_token)).status).toBe(401)
      expect((await http.get('/oauth/userinfo', bearer(access_token))).status).toBe(401)
    }
  })

  test(`${MODULE}user-rejects-authentication`, async () => {
    const pushed = await push(client, pkce().code_challenge, { prompt: 'consent' })
    const to = requireStatus(await visit(pushedQuery(client, pushed.json.request_uri)), 303)
    const page = requireStatus(await person.get(to.headers.location ?? ''), 200)
    const back = locationOf(await decide(person, interactionIn(page), 'deny'))
    expect(`${back.origin}${back.pathname}`).toBe(CALLBACK)
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: 'access_denied',
      error_description: expect.any(String),
      state: 'the-state',
      iss: server.origin,
    })
  })

  test(`${MODULE}ensure-authorization-request-without-state-success`, async () => {
    const { back, claims } = await flow({ state: undefined })
    expect(back.searchParams.has('state')).toBe(false)
    expect(claims.s_hash).toBe(undefined)
  })

  test(`${MODULE}ensure-authorization-request-without-nonce-success`, async () => {
    expect((await flow({ nonce: undefined })).claims).not.toHaveProperty('nonce')
  })

  test.each([
    ['ensure-authorization-request-with-64-char-nonce-success', 64],
    ['ensure-authorization-request-with-long-nonce', 384],
  ])(`${MODULE}%s`, async (_, length) => {
    const nonce = 'n'.repeat(length)
    expect((await flow({ nonce })).claims.nonce).toBe(nonce)
  })

  test(`${MODULE}ensure-authorization-request-with-long-state`, async () => {
    const state = 'state~.-_ &=%'.repeat(80)
    expect((await flow({ state })).back.searchParams.get('state')).toBe(state)
  })

  test(`${MODULE}ensure-other-scope-order-succeeds`, async () => {
    const { tokens } = await flow({ scope: 'profile email openid' })
    expect(tokens.scope.split(' ').sort()).toEqual(['email', 'openid', 'profile'])
    expect(tokens.id_token).toEqual(expect.any(String))
  })

  test(`${MODULE}test-claims-parameter-identity-claims`, async () => {
    // Not supported, and said so: then the module is skipped, and a client that sends it all the same is not disturbed.
    expect((await http.get('/.well-known/openid-configuration')).json.claims_parameter_supported).toBe(false)
    const { claims } = await flow({ claims: '{"id_token":{"email":{"essential":true}},"userinfo":{"nonsense":null}}' })
    expect(claims.sub).toBe(session.sub)
  })

  test(`${MODULE}access-token-type-header-case-sensitivity`, async () => {
    const { access_token } = await tokensFor(person, client)
    for (const scheme of ['DPoP', 'dpop', 'DPOP', 'dPoP']) {
      expect((await userinfo(http, client, access_token, { scheme })).status).toBe(200)
    }
  })
})

describe('what stands outside of the pushed request', () => {
  test.each([
    ['ensure-different-nonce-inside-and-outside-request-object', { nonce: 'outside' }],
    ['ensure-different-state-inside-and-outside-request-object', { state: 'outside' }],
  ])(`${MODULE}%s`, async (_, outside) => {
    const { code_verifier, code_challenge } = pkce()
    const { request_uri } = (await push(client, code_challenge)).json
    const back = await authorize(person, pushedQuery(client, request_uri, outside))
    expect(back.searchParams.get('state')).toBe('the-state')
    const tokens = (await redeem(client, { code: back.searchParams.get('code') ?? '', code_verifier, redirect_uri: CALLBACK })).json
    expect((await verifiedIdToken(tokens.id_token, client.client_id)).nonce).toBe('the-nonce')
  })

  test(`${MODULE}state-only-outside-request-object-not-used`, async () => {
    const { request_uri } = (await push(client, pkce().code_challenge, { state: undefined })).json
    const back = await authorize(person, pushedQuery(client, request_uri, { state: 'outside' }))
    expect(back.searchParams.get('code')).toEqual(expect.any(String))
    expect(back.searchParams.has('state')).toBe(false)
  })

  test(`${MODULE}par-without-duplicate-parameters`, async () => {
    const { request_uri } = (await push(client, pkce().code_challenge)).json
    const back = await authorize(person, new URLSearchParams({ client_id: client.client_id, request_uri }).toString())
    expect(back.searchParams.get('code')).toEqual(expect.any(String))
  })

  test(`${MODULE}ensure-unsigned-authorization-request-without-using-par-fails`, async () => {
    const form = Object.entries(pushedForm(client, pkce().code_challenge)).map(([name, value]) => [name, value ?? ''])
    const back = locationOf(await visit(new URLSearchParams(form).toString()))
    expect(`${back.origin}${back.pathname}`).toBe(CALLBACK)
    expect([back.searchParams.get('error'), back.searchParams.has('code')]).toEqual(['invalid_request', false])
  })
})

describe('what PAR refuses', () => {
  test.each(['ensure-request-object-without-redirect-uri-fails', 'ensure-redirect-uri-in-authorization-request'])(`${MODULE}%s`, () =>
    expectRefusedPush({ redirect_uri: undefined }),
  )

  test.each(['ensure-registered-redirect-uri', 'plain-fapi-tolerate-unregistered-redirect-uri'])(`${MODULE}%s`, () =>
    expectRefusedPush({ redirect_uri: `${CALLBACK}/3f9a1c` }),
  )

  test.each([
    ['ensure-response-type-code-idtoken-fails', 'code id_token'],
    ['ensure-response-type-token-fails', 'token'],
  ])(`${MODULE}%s`, (_, response_type) => expectRefusedPush({ response_type }, 'unsupported_response_type'))

  test(`${MODULE}par-authorization-request-containing-request_uri-form-param`, () =>
    expectRefusedPush({ request_uri: 'urn:ietf:params:oauth:request_uri:3f9a1c' }))

  test(`${MODULE}par-ensure-pkce-required`, () => expectRefusedPush({ code_challenge: undefined, code_challenge_method: undefined }))

  test(`${MODULE}par-plain-pkce-rejected`, () => expectRefusedPush({ code_challenge_method: 'plain' }))

  test(`${MODULE}par-attempt-invalid-http-method`, async () => {
    for (const method of ['PUT', 'GET', 'DELETE', 'PATCH']) {
      const form = method === 'GET' ? {} : pushedForm(client, pkce().code_challenge)
      const reply = method === 'GET' ? await http.get('/oauth/par') : await client.post('/oauth/par', form, { method })
      expect([404, 405]).toContain(reply.status)
      expect(reply.text).not.toContain('request_uri:')
    }
  })
})

describe('a request_uri', () => {
  test(`${MODULE}par-ensure-reused-request-uri-prior-to-auth-completion-succeeds`, async () => {
    const stranger = browser(server.origin)
    await signUp(browser(server.origin), 'later@example.com')
    const { code_verifier, code_challenge } = pkce()
    const { request_uri } = (await push(client, code_challenge)).json
    // As far as the sign-in page, and no farther: the first time.
    const toSignIn = async () => {
      const to = requireStatus(await stranger.get(`/oauth/authorize?${pushedQuery(client, request_uri)}`), 303)
      return requireStatus(await stranger.get(to.headers.location ?? ''), 303)
    }
    await toSignIn()
    const onward = await toSignIn()
    const page = await stranger.get(onward.headers.location ?? '')
    const form = new URLSearchParams({ interaction: interactionIn(page), email: 'later@example.com', password: PASSWORD })
    const signedIn = requireStatus(await stranger.post('/sign-in', form, { origin: server.origin }), 303)
    const consent = await stranger.get(signedIn.headers.location ?? '')
    const back = locationOf(await decide(stranger, interactionIn(consent), 'allow'))
    const given = { code: back.searchParams.get('code') ?? '', code_verifier, redirect_uri: CALLBACK }
    expect((await redeem(client, given)).status).toBe(200)
    stranger.close()
  })

  test(`${MODULE}par-attempt-reuse-request_uri`, async () => {
    const { request_uri } = await authorizePushed(person, client)
    expectPage(await visit(pushedQuery(client, request_uri)))
  })

  test(`${MODULE}par-attempt-to-use-request_uri-for-different-client`, async () => {
    const { request_uri } = (await push(client, pkce().code_challenge)).json
    expectPage(await visit(pushedQuery(second, request_uri)))
    // Nobody else's visit has used it up.
    expect((await authorize(person, pushedQuery(client, request_uri))).searchParams.has('code')).toBe(true)
  })

  test('gives one visit a code of two that were begun, and that one another when its button is pressed twice', async () => {
    const { code_verifier, code_challenge } = pkce()
    const { request_uri } = (await push(client, code_challenge, { prompt: 'consent' })).json
    const consent = async () => {
      const to = requireStatus(await visit(pushedQuery(client, request_uri)), 303)
      return interactionIn(await person.get(to.headers.location ?? ''))
    }
    const [one, two] = [await consent(), await consent()]
    const backs = await Promise.all([decide(person, one, 'allow'), decide(person, one, 'allow')])
    const codes = backs.map((back) => locationOf(requireStatus(back, 303)).searchParams.get('code') ?? '')
    expectPage(await decide(person, two, 'allow'))
    expectPage(await visit(pushedQuery(client, request_uri)))
    for (const code of codes) expect((await redeem(client, { code, code_verifier, redirect_uri: CALLBACK })).status).toBe(200)
  })

  test('that nobody gave out is refused on a page', async () => {
    const { request_uri } = (await push(client, pkce().code_challenge)).json
    const changed = `${request_uri.slice(0, -4)}${request_uri.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`
    for (const wrong of [changed, request_uri.toUpperCase(), 'https://evil.example/request', '', 'urn:ietf:params:oauth:request_uri:']) {
      expectPage(await visit(pushedQuery(client, wrong)))
    }
  })
})
