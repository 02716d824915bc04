import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  type Ask,
  authorizationQuery,
  authorize,
  CALLBACK,
  interactionIn,
  locationOf,
  pkce,
  postAs,
  type Registered,
  redeem,
  register,
  tokensFor,
} from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, headerOf, operatorOf, PASSWORD, requireStatus, type Session } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { LISTS, type Metadata, readMetadata, refusedToRegister } from './issuer-metadata.ts'

// What is listed is done and what is not listed is refused, each by a request. Grants and client authentication: metadata-clients.test.ts.

let server: Server
let http: Client
let person: Client
let session: Session
let metadata: Metadata
let client: Registered

beforeAll(async () => {
  server = await startServer({ vars: { SCOPES: 'notes:read notes:write' } })
  http = app(server.origin)
  person = browser(server.origin)
  const body = { email: 'ann@example.com', password: PASSWORD, name: 'Ann' }
  session = requireStatus(await person.post<Session>('/api/sign-up', body), 201).json
  requireStatus(await http.put(`/admin/api/accounts/${session.sub}/roles`, { roles: ['editor'] }, operatorOf(server)), 204)
  metadata = await readMetadata(http)
  client = await register(http, {
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', 'urn:ietf:params:oauth:grant-type:device_code'],
    token_endpoint_auth_method: 'client_secret_basic',
  })
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

/** Where an authorization request with these changes leads to. */
async function answerTo(changes: Ask): Promise<URLSearchParams> {
  const challenge = pkce().code_challenge
  return (await authorize(person, authorizationQuery(client, challenge, changes))).searchParams
}

async function errorTo(changes: Ask): Promise<string | null> {
  const back = locationOf(await person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, changes)}`))
  expect(`${back.origin}${back.pathname}`).toBe(CALLBACK)
  return back.searchParams.get('error')
}

describe('the metadata', () => {
  test('is one document at both well-known addresses, readable from anywhere', async () => {
    const [oidc, oauth] = [await http.get('/.well-known/openid-configuration'), await http.get('/.well-known/oauth-authorization-server')]
    expect(oauth.text).toBe(oidc.text)
    expect(oidc.headers['access-control-allow-origin']).toBe('*')
    expect(metadata.issuer).toBe(server.origin)
  })

  test('says nothing that is not tried', () => {
    const tried = [...Object.keys(ENDPOINTS), ...LISTS, ...Object.keys(FLAGS), 'issuer']
    expect(Object.keys(metadata).sort()).toEqual(tried.sort())
  })
})

/** A good request to each address that is named, and the methods that it takes. */
const ENDPOINTS: Record<string, { methods: string[]; use: (path: string) => Promise<unknown> }> = {
  authorization_endpoint: {
    methods: ['GET', 'POST'],
    use: async (path) => interactionIn(await person.get(`${path}?${authorizationQuery(await register(http), pkce().code_challenge)}`)),
  },
  token_endpoint: { methods: ['POST'], use: (path) => postAs(http, path, client, { grant_type: 'client_credentials' }) },
  userinfo_endpoint: {
    methods: ['GET', 'POST'],
    use: async (path) => http.get(path, bearer((await tokensFor(http, person, client)).access_token)),
  },
  jwks_uri: { methods: ['GET'], use: (path) => http.get(path) },
  end_session_endpoint: { methods: ['GET', 'POST'], use: (path) => http.get(path) },
  revocation_endpoint: { methods: ['POST'], use: (path) => postAs(http, path, client, { token: 'x' }) },
  introspection_endpoint: { methods: ['POST'], use: (path) => postAs(http, path, client, { token: 'x' }) },
  device_authorization_endpoint: { methods: ['POST'], use: (path) => postAs(http, path, client, { scope: 'openid' }) },
  pushed_authorization_request_endpoint: {
    methods: ['POST'],
    use: (path) => postAs(http, path, client, Object.fromEntries(new URLSearchParams(authorizationQuery(client, pkce().code_challenge)))),
  },
  registration_endpoint: { methods: ['POST'], use: (path) => http.post(path, { redirect_uris: [CALLBACK] }) },
}

describe('every endpoint', () => {
  test.each(Object.entries(ENDPOINTS))('%s answers a good request, and no other method', async (name, { methods, use }) => {
    const address = new URL(String(metadata[name]))
    expect(address.origin).toBe(server.origin)
    const reply = await use(address.pathname)
    if (typeof reply !== 'string') expect([200, 201]).toContain((reply as Reply).status)
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((each) => !methods.includes(each))) {
      const refused = await http.request(method, address.pathname)
      expect([method, refused.status]).toEqual([method, 405])
    }
  })

  test('is listed: nothing else under /oauth exists, but the management of a registration', async () => {
    const { paths } = (await http.get<{ paths: Record<string, object> }>('/api/openapi.json')).json
    const listed = Object.keys(ENDPOINTS).map((name) => new URL(String(metadata[name])).pathname)
    const found = Object.keys(paths).filter((path) => path.startsWith('/oauth'))
    const registration = new URL(metadata.registration_endpoint).pathname
    expect(found.filter((path) => !listed.includes(path) && !path.startsWith(`${registration}/{client_id}`))).toEqual([])
    expect(listed.filter((path) => path.startsWith('/oauth/')).sort()).toEqual(found.filter((path) => !path.includes('{')).sort())
    for (const path of [
      '/oauth',
      '/oauth/',
      '/oauth/jwks',
      '/oauth/check_session',
      '/oauth/backchannel',
      '/oauth/token/',
      '/oauth/callback',
    ]) {
      expect([path, (await http.get(path)).status]).toEqual([path, 404])
    }
  })
})

describe('authorization requests', () => {
  test('response_type: code, and nothing else', async () => {
    expect(metadata.response_types_supported).toEqual(['code'])
    expect((await answerTo({})).has('code')).toBe(true)
    for (const response_type of [
      'token',
      'id_token',
      'code id_token',
      'code token',
      'id_token token',
      'code id_token token',
      'none',
      'CODE',
    ]) {
      expect([response_type, await errorTo({ response_type })]).toEqual([response_type, 'unsupported_response_type'])
      if (response_type !== 'CODE') await refusedToRegister(http, { response_types: ['code', response_type] })
    }
  })

  test('response_mode: each that is listed, and nothing else', async () => {
    expect(metadata.response_modes_supported).toEqual(['query', 'form_post'])
    expect((await answerTo({ response_mode: 'query' })).has('code')).toBe(true)
    const page = await person.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, { response_mode: 'form_post' })}`)
    expect(page.text).toContain(`action="${CALLBACK}"`)
    expect(page.text).toMatch(/name="code"/)
    for (const response_mode of ['fragment', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt', 'web_message']) {
      expect([response_mode, await errorTo({ response_mode })]).toEqual([response_mode, 'invalid_request'])
    }
  })

  test('code_challenge_method: each that is listed, and nothing else', async () => {
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
    for (const code_challenge_method of ['plain', 'S512', 's256', undefined]) {
      expect(await errorTo({ code_challenge_method })).toBe('invalid_request')
    }
    expect(await errorTo({ code_challenge: undefined, code_challenge_method: undefined })).toBe('invalid_request')
  })

  test('scope: each that is listed is granted, others are not', async () => {
    for (const scope of metadata.scopes_supported) {
      expect([scope, (await tokensFor(http, person, client, { scope })).scope]).toEqual([scope, scope])
    }
    for (const scope of ['account', 'address', 'phone', 'admin', 'OpenID'])
      expect([scope, await errorTo({ scope })]).toEqual([scope, 'invalid_scope'])
    expect((await tokensFor(http, person, client, { scope: 'openid address' })).scope).toBe('openid')
  })
})

describe('ID tokens and userinfo', () => {
  test('are signed by each algorithm that is listed, and by no other', async () => {
    for (const alg of metadata.id_token_signing_alg_values_supported) {
      const { id_token = '' } = await tokensFor(http, person, await register(http, { id_token_signed_response_alg: alg }))
      expect(headerOf(id_token).alg).toBe(alg)
    }
    expect(metadata.id_token_signing_alg_values_supported).toContain('RS256')
    for (const alg of ['none', 'HS256', 'RS384', 'PS256', 'EdDSA'].filter(
      (each) => !metadata.id_token_signing_alg_values_supported.includes(each),
    )) {
      await refusedToRegister(http, { id_token_signed_response_alg: alg })
    }
  })

  test('hold each claim that is listed, and no other', async () => {
    const tokens = await tokensFor(http, person, client, { scope: 'openid profile email roles', nonce: 'n' })
    const inIdToken = Object.keys(claimsOf(tokens.id_token ?? ''))
    const inUserinfo = Object.keys((await http.get('/oauth/userinfo', bearer(tokens.access_token))).json)
    expect([...new Set([...inIdToken, ...inUserinfo])].sort()).toEqual(metadata.claims_supported.toSorted())
  })

  test('say who signed in how by one of the listed values', async () => {
    const { id_token = '' } = await tokensFor(http, person, client)
    expect(metadata.acr_values_supported).toEqual([JSON.parse(Buffer.from(id_token.split('.')[1] ?? '', 'base64url').toString()).acr])
  })

  test('name a person alike to every client: subjects are public, and cannot be asked for otherwise', async () => {
    expect(metadata.subject_types_supported).toEqual(['public'])
    const subjects = await Promise.all(
      [client, await register(http, { subject_type: 'public' })].map(
        async (client) => claimsOf((await tokensFor(http, person, client)).id_token ?? '').sub,
      ),
    )
    expect(subjects).toEqual([session.sub, session.sub])
    await refusedToRegister(http, { subject_type: 'pairwise' })
  })
})

/** What each yes or no comes down to. */
const FLAGS: Record<string, { value: boolean; holds: () => Promise<void> }> = {
  claims_parameter_supported: {
    value: false,
    async holds() {
      const claims = JSON.stringify({ id_token: { email: { essential: true } }, userinfo: { email: { essential: true } } })
      const { access_token, id_token = '' } = await tokensFor(http, person, client, { claims })
      expect(claimsOf(id_token)).not.toHaveProperty('email')
      expect((await http.get('/oauth/userinfo', bearer(access_token))).json).not.toHaveProperty('email')
    },
  },
  request_parameter_supported: {
    value: false,
    holds: async () => expect(await errorTo({ request: 'eyJhbGciOiJub25lIn0.e30.' })).toBe('request_not_supported'),
  },
  request_uri_parameter_supported: {
    value: false,
    holds: async () => expect(await errorTo({ request_uri: 'https://app.example.com/request' })).toBe('request_uri_not_supported'),
  },
  require_pushed_authorization_requests: { value: false, holds: async () => expect((await answerTo({})).has('code')).toBe(true) },
  authorization_response_iss_parameter_supported: {
    value: true,
    async holds() {
      expect((await answerTo({})).get('iss')).toBe(server.origin)
      const refused = await person.get(`/oauth/authorize?${authorizationQuery(client, 'x')}`)
      expect(locationOf(refused).searchParams.get('iss')).toBe(server.origin)
    },
  },
  client_id_metadata_document_supported: {
    value: true,
    async holds() {
      const listener = createServer((_, response) => {
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ client_id, redirect_uris: [callback] }))
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => listener.once('listening', resolve))
      const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
      const [client_id, callback] = [`${origin}/client.json`, `${origin}/callback`]
      const described = { ...client, client_id, token_endpoint_auth_method: 'none' }
      const { code_challenge, code_verifier } = pkce()
      const back = await authorize(person, authorizationQuery(described, code_challenge, { redirect_uri: callback }))
      const code = back.searchParams.get('code') ?? ''
      expect((await redeem(http, described, { code, code_verifier, redirect_uri: callback })).status).toBe(200)
      listener.close()
    },
  },
  backchannel_logout_supported: {
    value: true,
    async holds() {
      const backchannel_logout_uri = 'https://app.example.com/logout'
      expect(await register(http, { backchannel_logout_uri })).toMatchObject({ backchannel_logout_uri })
    },
  },
  backchannel_logout_session_supported: {
    value: true,
    async holds() {
      expect(claimsOf((await tokensFor(http, person, client)).id_token ?? '').sid).toBe(session.sid)
      expect(await register(http, { backchannel_logout_session_required: true })).toMatchObject({
        backchannel_logout_session_required: true,
      })
    },
  },
}

describe('every yes and no', () => {
  test.each(Object.entries(FLAGS))('%s is as it says', async (name, { value, holds }) => {
    expect(metadata[name]).toBe(value)
    await holds()
  })
})
