// FAPI 2 security profile, what clients prove at PAR, the token endpoint and a resource: one test a module of the OpenID Foundation's
// fapi2-security-profile-final-test-plan, by its name (table in fapi.md; the rest of them in fapi.test.ts).
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { type Change, type ClientKey, makeClientKey, signJws } from '../oauth/proofs.ts'
import { LONG } from '../proof/size.ts'
import {
  codeFor,
  type FapiClient,
  fapiClient,
  type How,
  type Pushed,
  push,
  pushedQuery,
  redeem,
  refreshAs,
  tokensFor,
  userinfo,
} from '../support/node/fapi.ts'
import type { Client, Reply } from '../support/node/http.ts'
import { CALLBACK, pkce, type TokenAnswer } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, msUntil, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const MODULE = 'fapi2-security-profile-final-'

let server: Server
let http: Client
let person: Client
let client: FapiClient
let second: FapiClient
beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
  client = await fapiClient(http)
  second = await fapiClient(http)
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const seconds = () => Math.floor(Date.now() / 1000)
const thumbprint = async ({ jwk }: ClientKey) => (await jwkThumbprint(jwk)) ?? ''

/** A refusal as RFC 6749, 5.2 wants it. */
function expectRefused(reply: Reply<TokenAnswer | Pushed>, error: string, status = 400) {
  expect([reply.status, reply.json.error], reply.text).toEqual([status, error])
  expect(reply.headers['content-type']).toBe('application/json')
  expect(reply.headers['cache-control']).toBe('no-store')
  expect(reply.json.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/)
}

describe('DPoP proofs that are taken', () => {
  const ways: [string, () => Change][] = [
    ['check-dpop-proof-nbf-exp', () => ({ claims: { nbf: seconds(), exp: seconds() + 300 } })],
    ['ensure-dpopproof-with-iat-10seconds-before-succeeds', () => ({ claims: { iat: seconds() - 10 } })],
    ['ensure-dpopproof-with-iat-10seconds-after-succeeds', () => ({ claims: { iat: seconds() + 10 } })],
  ]
  test.each(ways)(`${MODULE}%s`, async (_, change) => {
    const { access_token } = await tokensFor(person, client, {}, { proof: change() })
    expect((await userinfo(http, client, access_token, { proof: change() })).status).toBe(200)
  })

  test(`${MODULE}ensure-dpopproof-at-par-endpoint-binding-success`, async () => {
    expect(claimsOf((await tokensFor(person, client)).access_token)).toMatchObject({ cnf: { jkt: await thumbprint(client.dpop) } })
  })

  test(`${MODULE}ensure-dpop-auth-code-binding-success`, async () => {
    const dpop_jkt = await thumbprint(client.dpop)
    expect(claimsOf((await tokensFor(person, client, { dpop_jkt })).access_token)).toMatchObject({ cnf: { jkt: dpop_jkt } })
  })
})

describe('DPoP keys that do not match', () => {
  test(`${MODULE}ensure-mismatched-dpop-jkt-fails`, async () => {
    expectRefused(await push(client, pkce().code_challenge, { dpop_jkt: await thumbprint(second.dpop) }), 'invalid_dpop_proof')
  })

  test(`${MODULE}ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt`, async () => {
    const given = await codeFor(person, client)
    expectRefused(await redeem(client, given, { proof: { key: await makeClientKey() } }), 'invalid_grant')
    expect((await redeem(client, given)).status).toBe(200)
  })

  test(`${MODULE}ensure-token-endpoint-fails-with-mismatched-dpop-jkt`, async () => {
    const other = await makeClientKey()
    const given = await codeFor(person, client, { dpop_jkt: await thumbprint(other) }, { proof: null })
    expectRefused(await redeem(client, given), 'invalid_grant')
    expect((await redeem(client, given, { proof: { key: other } })).status).toBe(200)
  })

  test(`${MODULE}ensure-holder-of-key-required`, async () => {
    const given = await codeFor(person, client)
    expectRefused(await redeem(client, given, { proof: null }), 'invalid_dpop_proof')
    expect((await redeem(client, given)).status).toBe(200)
  })
})

describe('DPoP proofs at a resource', () => {
  let access_token: string
  beforeAll(async () => {
    access_token = (await tokensFor(person, client)).access_token
  })
  const asked = async (how: Parameters<typeof userinfo>[3]) => (await userinfo(http, client, access_token, how)).status

  test.each<[string, NonNullable<Parameters<typeof userinfo>[3]>]>([
    ['an upper case header name', { header: 'DPOP' }],
    ['htu with a query and a fragment', { proof: { url: 'ORIGIN/oauth/userinfo?a=b#c' } }],
    ['htu without the query of the request', { path: '/oauth/userinfo?a=b' }],
    ['scheme and host of htu in upper case', { proof: { url: 'HTTP://LOCALHOST:PORT/oauth/userinfo' } }],
    ['htu with percent-encoding and dot segments', { proof: { url: 'ORIGIN/oauth/./%75serinfo' } }],
    ['members in header and claims that nobody knows', { proof: { header: { foo: 'bar' }, claims: { foo: { bar: [1] } } } }],
  ])(`${MODULE}dpop-negative-tests: %s is taken`, async (_, how) => {
    const url = how.proof?.url?.replace('ORIGIN', server.origin).replace('PORT', new URL(server.origin).port)
    expect(await asked({ ...how, ...(url ? { proof: { ...how.proof, url } } : {}) })).toBe(200)
  })

  const hour = 3600
  const bad: [string, () => Change & { key?: ClientKey; url?: string }][] = [
    ...['typ', 'alg', 'jwk'].map((name): [string, () => Change] => [`without ${name}`, () => ({ header: { [name]: undefined } })]),
    ...['jti', 'htm', 'htu', 'iat', 'ath'].map((name): [string, () => Change] => [
      `without ${name}`,
      () => ({ claims: { [name]: undefined } }),
    ]),
    ['of another typ', () => ({ header: { typ: 'JWT' } })],
    ['that says alg none', () => ({ header: { alg: 'none' } })],
    ['that says RS256', () => ({ header: { alg: 'RS256' } })],
    ['with the private key in jwk', () => ({ header: { jwk: client.dpop.secret } })],
    ['of another method', () => ({ claims: { htm: 'PUT' } })],
    ['for another url', () => ({ url: `${server.origin}/oauth/introspect` })],
    ['for another path below', () => ({ url: `${server.origin}/oauth/userinfo/` })],
    ['for another host', () => ({ url: 'http://localhost:1/oauth/userinfo' })],
    ['made in an hour', () => ({ claims: { iat: seconds() + hour } })],
    ['made an hour ago', () => ({ claims: { iat: seconds() - hour } })],
    ['of another access token', () => ({ claims: { ath: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' } })],
    ['by another key', () => ({ key: second.dpop })],
    ['signed by another key than it shows', () => ({ key: second.dpop, header: { jwk: client.dpop.jwk } })],
  ]
  test.each(bad)(`${MODULE}dpop-negative-tests: a proof %s is refused`, async (_, change) => {
    const reply = await userinfo(http, client, access_token, { proof: change() })
    expect(reply.status).toBe(401)
    expect(reply.headers['www-authenticate']).toMatch(/^DPoP error="invalid_(dpop_proof|token)"/)
    expect(await asked({})).toBe(200)
  })

  test(`${MODULE}dpop-negative-tests: a good RS256 proof is refused`, async () => {
    const rsa = await makeClientKey('RS256')
    const reply = await userinfo(http, { dpop: rsa }, access_token)
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, expect.stringContaining('error="invalid_dpop_proof"')])
    expectRefused(await push(client, pkce().code_challenge, {}, { proof: { key: rsa } }), 'invalid_dpop_proof')
  })

  test(`${MODULE}dpop-negative-tests: two proofs, none, and what is no JWT are refused`, async () => {
    const made = async () => signJws(client.dpop, { typ: 'dpop+jwt', alg: 'ES256', jwk: client.dpop.jwk }, { jti: crypto.randomUUID() })
    const one = await made()
    for (const dpop of [`${one}, ${await made()}`, one.split('.').slice(0, 2).join('.'), 'e30.e30.e30', '', `${one}x`]) {
      expect((await http.get('/oauth/userinfo', { authorization: `DPoP ${access_token}`, dpop })).status, dpop).toBe(401)
    }
    expect(await asked({ proof: null })).toBe(401)
    expect((await http.get('/oauth/userinfo', bearer(access_token))).status).toBe(401)
    expect(await asked({ scheme: 'Bearer' })).toBe(401)
    expect(await asked({})).toBe(200)
  })

  test(`${MODULE}dpop-negative-tests: a jti is good once`, async () => {
    const proof = { claims: { jti: crypto.randomUUID() } }
    expect([await asked({ proof }), await asked({ proof })]).toEqual([200, 401])
  })
})

describe('client assertions at the token endpoint', () => {
  const ways: [string, () => Promise<How>, string][] = [
    [
      'ensure-client-assertion-in-token-endpoint',
      async () => ({ assertion: null, form: { client_id: client.client_id } }),
      'invalid_client',
    ],
    [
      'ensure-client-assertion-with-exp-is-5-minutes-in-past-fails',
      async () => ({ assertion: { claims: { exp: seconds() - 300 } } }),
      'invalid_client',
    ],
    [
      'ensure-client-assertion-with-wrong-aud-fails',
      async () => ({ assertion: { claims: { aud: 'https://other1.example.com' } } }),
      'invalid_client',
    ],
    ['ensure-client-assertion-with-no-sub-fails', async () => ({ assertion: { claims: { sub: undefined } } }), 'invalid_client'],
    ['ensure-client-id-in-token-endpoint', async () => ({ form: { client_id: second.client_id } }), 'invalid_client'],
  ]
  test.each(ways)(`${MODULE}%s`, async (_, how, error) => {
    const given = await codeFor(person, client)
    expectRefused(await redeem(client, given, await how()), error, 401)
    expect((await redeem(client, given)).status).toBe(200)
  })

  test(`${MODULE}ensure-signed-client-assertion-with-RS256-fails`, async () => {
    const [rsa, dual] = [await makeClientKey('RS256'), await makeClientKey()]
    // The key is the client's own: it has registered to sign by the other one.
    const jwks = {
      keys: [
        { ...rsa.jwk, kid: 'rsa' },
        { ...dual.jwk, kid: 'ec' },
      ],
    }
    const both = await fapiClient(http, { jwks })
    const given = await codeFor(person, both, {}, { assertion: { key: dual } })
    expectRefused(await redeem(both, given, { assertion: { key: rsa } }), 'invalid_client', 401)
    expect((await redeem(both, given, { assertion: { key: dual } })).status).toBe(200)
  })
})

describe('client assertions at PAR', () => {
  const pushed = (change: Change) => push(client, pkce().code_challenge, {}, { assertion: change })

  test.each([
    ['par-test-array-as-audience-fails', () => [server.origin]],
    ['par-test-par-endpoint-url-as-audience-fails', () => server.url('/oauth/par')],
    ['par-test-token-endpoint-url-as-audience-fails', () => server.url('/oauth/token')],
  ])(`${MODULE}%s`, async (_, aud) => {
    expectRefused(await pushed({ claims: { aud: aud() } }), 'invalid_client', 401)
  })

  test(`${MODULE}par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted`, async () => {
    expect((await pushed({ claims: { nbf: seconds() + 8, iat: seconds() + 8 } })).status).toBe(201)
  })

  test(`${MODULE}par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails`, async () => {
    const [later, exp] = [seconds() + 70, seconds() + 130]
    expectRefused(await pushed({ claims: { nbf: later, iat: later, exp } }), 'invalid_client', 401)
    expectRefused(await pushed({ claims: { nbf: later } }), 'invalid_client', 401)
    expectRefused(await pushed({ claims: { iat: later } }), 'invalid_client', 401)
  })
})

describe('a code', () => {
  test(`${MODULE}ensure-authorization-code-is-bound-to-client`, async () => {
    const given = await codeFor(person, client, {}, { proof: null })
    expectRefused(await redeem(second, given), 'invalid_grant')
    expect((await redeem(client, given)).status).toBe(200)
  })

  test(`${MODULE}attempt-reuse-authorization-code-after-one-second`, async () => {
    const given = await codeFor(person, client)
    const { access_token } = requireStatus(await redeem(client, given), 200).json
    await sleep(1000)
    expectRefused(await redeem(client, given), 'invalid_grant')
    await msUntil(5000, 401, () => userinfo(http, client, access_token))
  })

  test(`${MODULE}ensure-pkce-code-verifier-required`, async () => {
    const { code, redirect_uri } = await codeFor(person, client)
    expectRefused(await client.post('/oauth/token', { grant_type: 'authorization_code', code, redirect_uri }), 'invalid_grant')
  })

  test(`${MODULE}incorrect-pkce-code-verifier-rejected`, async () => {
    const given = await codeFor(person, client)
    expectRefused(await redeem(client, { ...given, code_verifier: pkce().code_verifier }), 'invalid_grant')
  })
})

test(`${MODULE}refresh-token`, async () => {
  const { access_token, refresh_token = '' } = await tokensFor(person, client, { scope: 'openid offline_access', prompt: 'consent' })
  expect(refresh_token).toMatch(/^[\x20-\x7e]+$/)
  const refreshed = requireStatus(await refreshAs(client, refresh_token), 200).json
  expect(refreshed.access_token).not.toBe(access_token)
  expect(refreshed.token_type).toBe('DPoP')
  expect((await userinfo(http, client, refreshed.access_token)).status).toBe(200)
  // FAPI 2, 5.3.2.1-9: whoever has lost the answer asks again with the token before. The suite waits for 30 seconds.
  if (LONG) await sleep(31_000)
  const again = requireStatus(await refreshAs(client, refresh_token), 200).json
  expect(again.refresh_token).toBe(refreshed.refresh_token)
  expectRefused(await refreshAs(second, refreshed.refresh_token ?? ''), 'invalid_grant')
  expectRefused(await refreshAs(client, refreshed.refresh_token ?? '', { proof: null }), 'invalid_dpop_proof')
  const bare = { assertion: null, form: { client_id: client.client_id } }
  expectRefused(await refreshAs(client, refreshed.refresh_token ?? '', bare), 'invalid_client', 401)
  expect((await refreshAs(client, refreshed.refresh_token ?? '')).status).toBe(200)
})

// What waits for a minute; without the wait these are in test/objects/authorization-request.test.ts, on a clock that is set.
if (LONG) {
  test(`${MODULE}ensure-token-endpoint-fails-with-expired-auth-code`, { timeout: 120_000 }, async () => {
    const given = await codeFor(person, client)
    await sleep(61_000)
    expectRefused(await redeem(client, given), 'invalid_grant')
  })

  test(`${MODULE}par-attempt-to-use-expired-request_uri`, { timeout: 120_000 }, async () => {
    const { request_uri, expires_in } = (await push(client, pkce().code_challenge)).json
    await sleep((expires_in + 1) * 1000)
    const reply = await person.get(`/oauth/authorize?${pushedQuery(client, request_uri)}`)
    expect([reply.status, reply.headers.location]).toEqual([400, undefined])
  })
}

test('an assertion is good once, at whichever endpoint it comes first', async () => {
  const proof = { claims: { jti: crypto.randomUUID() } }
  const first = await push(client, pkce().code_challenge, { redirect_uri: CALLBACK }, { assertion: proof })
  expect(first.status).toBe(201)
  const given = await codeFor(person, client)
  expectRefused(await redeem(client, given, { assertion: proof }), 'invalid_client', 401)
  expect((await redeem(client, given)).status).toBe(200)
})
