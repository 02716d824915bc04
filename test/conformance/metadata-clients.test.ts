import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { JWT_BEARER_ASSERTION } from '../../src/oauth/client-credentials.ts'
import { type ClientKey, makeAssertion, makeClientKey, makeProof, type ProofAlg } from '../oauth/proofs.ts'
import type { Client, Reply } from '../support/node/http.ts'
import { asClient, postAs, type Registered, refreshAs, register, type TokenAnswer, tokensFor } from '../support/node/oauth.ts'
import { app, browser, claimsOf, PASSWORD, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Metadata, readMetadata, refusedToRegister } from './issuer-metadata.ts'

const API = 'https://api.example.com'
const OTHER_API = 'https://reports.example.com'
const SECRET = `sps_${randomBytes(32).toString('base64url')}`
const SERVICE = 'reports'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

const CLIENTS_TOML = `[[client]]
client_id = "${SERVICE}"
grant_types = ["client_credentials", "${EXCHANGE}"]
client_secret_sha256 = ["${createHash('sha256').update(SECRET).digest('base64url')}"]
serves = ["${API}"]
`

let server: Server
let http: Client
let person: Client
let metadata: Metadata
let publicClient: Registered
const service = { client_id: SERVICE, client_secret: SECRET, token_endpoint_auth_method: 'client_secret_basic' } as Registered

beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: `${API},${OTHER_API}`, SCOPES: 'notes:read notes:write', CLIENTS_TOML } })
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
  metadata = await readMetadata(http)
  publicClient = await register(http, { grant_types: ['authorization_code', 'refresh_token', DEVICE] })
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const machine = (members: object = {}) =>
  register(http, { redirect_uris: [], grant_types: ['client_credentials'], token_endpoint_auth_method: 'client_secret_basic', ...members })

const statusOf = ({ status, json }: Reply<TokenAnswer>) => (status === 200 ? 200 : json.error)

/** Asks for tokens by one grant, as whoever may. */
const GRANTS: Record<string, () => Promise<Reply<TokenAnswer> | TokenAnswer>> = {
  authorization_code: () => tokensFor(http, person, publicClient),
  refresh_token: async () => {
    const { refresh_token = '' } = await tokensFor(http, person, publicClient, { scope: 'openid offline_access' })
    return refreshAs(http, publicClient, refresh_token)
  },
  client_credentials: () => postAs(http, '/oauth/token', service, { grant_type: 'client_credentials' }),
  [DEVICE]: async () => {
    type Begun = { device_code: string; user_code: string }
    const begun = await postAs<Begun>(http, '/oauth/device_authorization', publicClient, { scope: 'openid' })
    const { device_code, user_code } = requireStatus(begun, 200).json
    const answer = (form: object) => person.post('/device', new URLSearchParams({ user_code, ...form }), { origin: server.origin })
    requireStatus(await answer({}), 200)
    requireStatus(await answer({ decision: 'allow' }), 200)
    return postAs(http, '/oauth/token', publicClient, { grant_type: DEVICE, device_code })
  },
  [EXCHANGE]: async () => {
    const { access_token } = await tokensFor(http, person, publicClient, { scope: 'openid notes:read', resource: API })
    const subject_token_type = 'urn:ietf:params:oauth:token-type:access_token'
    return postAs(http, '/oauth/token', service, {
      grant_type: EXCHANGE,
      subject_token: access_token,
      subject_token_type,
      resource: OTHER_API,
      scope: 'notes:read',
    })
  },
}

describe('grants', () => {
  test('are exactly those that are listed', () => expect(metadata.grant_types_supported.toSorted()).toEqual(Object.keys(GRANTS).sort()))

  test.each(Object.entries(GRANTS))('%s gives an access token', async (_, ask) => {
    const answer = await ask()
    const { access_token } = 'json' in answer ? requireStatus(answer, 200).json : answer
    expect(claimsOf(access_token).iss).toBe(server.origin)
  })

  const unlisted = [
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:saml2-bearer',
    'urn:openid:params:grant-type:ciba',
    'Authorization_code',
  ]
  test.each(unlisted)('%s is not among them, and can neither be used nor registered', async (grant_type) => {
    expect(metadata.grant_types_supported).not.toContain(grant_type)
    const form = { grant_type, username: 'ann@example.com', password: PASSWORD }
    expect(statusOf(await postAs(http, '/oauth/token', service, form))).toBe('unsupported_grant_type')
    await refusedToRegister(http, { grant_types: ['authorization_code', grant_type] })
  })
})

const KEYS: Record<string, ProofAlg> = { ES256: 'ES256', EdDSA: 'EdDSA', Ed25519: 'EdDSA', PS256: 'PS256', RS256: 'RS256' }
const now = () => Math.floor(Date.now() / 1000)

async function asserting(alg: string, grant_types = ['client_credentials', DEVICE]): Promise<{ client: Registered; key: ClientKey }> {
  const key = await makeClientKey(KEYS[alg] ?? 'ES256')
  const members = { jwks: { keys: [key.jwk] }, token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: alg }
  return { client: await machine({ ...members, grant_types }), key }
}

async function assertionForm({ client_id }: Registered, key: ClientKey, alg: string) {
  const client_assertion = await makeAssertion(key, { client_id, issuer: server.origin, now: now() }, { header: { alg } })
  return { client_id, client_assertion, client_assertion_type: JWT_BEARER_ASSERTION }
}

/** A client of a method, and its request to an endpoint. */
async function askBy(method: string, path: string, form: Record<string, string>): Promise<Reply<TokenAnswer>> {
  if (method === 'private_key_jwt') {
    const { client, key } = await asserting('ES256')
    return http.post(path, new URLSearchParams({ ...form, ...(await assertionForm(client, key, 'ES256')) }))
  }
  const grants = method === 'none' ? [DEVICE] : ['client_credentials', DEVICE]
  return postAs(http, path, await machine({ token_endpoint_auth_method: method, grant_types: grants }), form)
}

describe('client authentication', () => {
  const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']

  test.each(METHODS)('%s is taken where it is listed, and refused where it is not', async (method) => {
    expect(metadata.token_endpoint_auth_methods_supported).toContain(method)
    // A public client has no tokens of its own: a device that nobody has allowed yet shows that it was let in.
    const wrong = { grant_type: DEVICE, device_code: 'x' }
    expect((await askBy(method, '/oauth/token', wrong)).json.error).toBe('invalid_grant')
    expect(metadata.revocation_endpoint_auth_methods_supported).toContain(method)
    expect((await askBy(method, '/oauth/revoke', { token: 'x' })).status).toBe(200)
    const listed = metadata.introspection_endpoint_auth_methods_supported.includes(method)
    expect([method, (await askBy(method, '/oauth/introspect', { token: 'x' })).status]).toEqual([method, listed ? 200 : 400])
  })

  test('no other method is listed or can be registered', async () => {
    for (const list of ['token', 'revocation'] as const) {
      expect(metadata[`${list}_endpoint_auth_methods_supported`].toSorted()).toEqual(METHODS.toSorted())
    }
    const unlisted = ['client_secret_jwt', 'tls_client_auth', 'self_signed_tls_client_auth', 'attest_jwt_client_auth']
    for (const token_endpoint_auth_method of unlisted) await refusedToRegister(http, { token_endpoint_auth_method })
  })

  test.each(['none', 'client_secret_basic', 'client_secret_post'])('a client of %s is refused by every other method', async (method) => {
    const client = await machine({ token_endpoint_auth_method: method, grant_types: [DEVICE] })
    const secret = { ...client, client_secret: client.client_secret ?? 'x' }
    for (const other of ['none', 'client_secret_basic', 'client_secret_post'].filter((each) => each !== method)) {
      const { form, headers } = asClient({ ...secret, token_endpoint_auth_method: other })
      const reply = await http.post<TokenAnswer>(
        '/oauth/token',
        new URLSearchParams({ ...form, grant_type: DEVICE, device_code: 'x' }),
        headers,
      )
      expect([other, reply.status, reply.json.error]).toEqual([other, 401, 'invalid_client'])
    }
  })

  test('assertions are taken by each algorithm that is listed, at each endpoint, and by no other', async () => {
    const listed = metadata.token_endpoint_auth_signing_alg_values_supported
    expect(metadata.revocation_endpoint_auth_signing_alg_values_supported).toEqual(listed)
    expect(metadata.introspection_endpoint_auth_signing_alg_values_supported).toEqual(listed)
    for (const alg of listed) {
      const { client, key } = await asserting(alg)
      for (const [path, form] of [
        ['/oauth/token', { grant_type: 'client_credentials' }],
        ['/oauth/revoke', { token: 'x' }],
        ['/oauth/introspect', { token: 'x' }],
      ] as const) {
        const reply = await http.post(path, new URLSearchParams({ ...form, ...(await assertionForm(client, key, alg)) }))
        expect([alg, path, reply.status]).toEqual([alg, path, 200])
      }
    }
    const { client, key } = await asserting('ES256')
    for (const alg of ['none', 'HS256', 'ES384', 'ES512', 'RS384', 'RS512', 'PS384', 'PS512', 'ES256K']) {
      const form = { grant_type: 'client_credentials', ...(await assertionForm(client, key, alg)) }
      expect([alg, statusOf(await http.post('/oauth/token', new URLSearchParams(form)))]).toEqual([alg, 'invalid_client'])
      await refusedToRegister(http, { ...client, token_endpoint_auth_signing_alg: alg })
    }
  })
})

describe('DPoP', () => {
  async function bound(alg: string): Promise<number | string | undefined> {
    const key = await makeClientKey(KEYS[alg] ?? 'ES256')
    let claims = {}
    for (;;) {
      const proof = await makeProof(key, { method: 'POST', url: metadata.token_endpoint, now: now() }, { header: { alg }, claims })
      const reply = await postAs(http, '/oauth/token', service, { grant_type: 'client_credentials' }, { dpop: proof })
      if (reply.json.error !== 'use_dpop_nonce' || 'nonce' in claims) return statusOf(reply)
      claims = { nonce: reply.headers['dpop-nonce'] }
    }
  }

  test('is taken by each algorithm that is listed, and by no other', async () => {
    for (const alg of metadata.dpop_signing_alg_values_supported) expect([alg, await bound(alg)]).toEqual([alg, 200])
    for (const alg of ['RS256', 'HS256', 'none', 'ES384', 'PS512']) {
      expect(metadata.dpop_signing_alg_values_supported).not.toContain(alg)
      expect([alg, await bound(alg)]).toEqual([alg, 'invalid_dpop_proof'])
    }
  })
})
