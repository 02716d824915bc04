// openid-client 6 (https://github.com/panva/openid-client), as its README and examples say; http on loopback is the one thing allowed to it.
import * as oidc from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CALLBACK } from '../support/node/oauth.ts'
import { browser, PASSWORD, requireStatus, type Session } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { clientKey } from './client-key.ts'
import { ACCESS_TOKEN, API, EXCHANGE, OTHER_API, SERVICE, VARS } from './service.ts'
import { type Arrival, createVisitor, type Visitor } from './visitor.ts'

const EMAIL = 'ann@example.com'
const SIGNED_OUT = 'https://app.example.com/bye'

let server: Server
let issuer: URL
let ann: Session
let person: Visitor
beforeAll(async () => {
  server = await startServer({ vars: VARS })
  issuer = new URL(server.origin)
  const setup = browser(server.origin)
  ann = requireStatus(await setup.post<Session>('/api/sign-up', { email: EMAIL, password: PASSWORD, name: 'Ann Example' }), 201).json
  setup.close()
  person = createVisitor(server.origin, { email: EMAIL, password: PASSWORD })
})
afterAll(async () => {
  person.close()
  await server.stop()
})

// The non-repudiation check makes it verify the signature of ID tokens by the published keys.
const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks]

const GRANTS = ['authorization_code', 'refresh_token', 'client_credentials', 'urn:ietf:params:oauth:grant-type:device_code']

function register(metadata: Partial<oidc.ClientMetadata> = {}, as: oidc.ClientAuth = oidc.None()): Promise<oidc.Configuration> {
  const about = { client_name: 'openid-client', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', ...metadata }
  return oidc.dynamicClientRegistration(issuer, about, as, { execute })
}

type Way = { parameters?: Record<string, string>; pushed?: boolean; DPoP?: oidc.DPoPHandle; change?: (back: URL) => void }

const landing = ({ url, form }: Arrival) => (form ? new Request(url, { method: 'POST', body: form }) : url)

/** The whole way of a person, with everything that the library can check about the answer. */
async function signIn(config: oidc.Configuration, { parameters = {}, pushed = false, DPoP, change }: Way = {}) {
  const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
  const expectedState = oidc.randomState()
  const expectedNonce = oidc.randomNonce()
  const asked = {
    redirect_uri: CALLBACK,
    scope: 'openid email offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    ...parameters,
  }
  const options = DPoP ? { DPoP } : {}
  const url = pushed ? await oidc.buildAuthorizationUrlWithPAR(config, asked, options) : oidc.buildAuthorizationUrl(config, asked)
  const arrival = await person.visit(url)
  change?.(arrival.url)
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true }
  const tokens = await oidc.authorizationCodeGrant(config, landing(arrival), checks, undefined, options)
  return { tokens, url, claims: tokens.claims(), form: arrival.form }
}

async function privateKeyClient(alg: string): Promise<oidc.Configuration> {
  const { key, jwks } = await clientKey(alg)
  return register({ token_endpoint_auth_method: 'private_key_jwt', jwks, grant_types: GRANTS }, oidc.PrivateKeyJwt({ key, kid: alg }))
}

const METHODS: [string, () => Promise<oidc.Configuration>][] = [
  ['none', () => register()],
  [
    'client_secret_basic',
    () => register({ token_endpoint_auth_method: 'client_secret_basic', grant_types: GRANTS }, oidc.ClientSecretBasic()),
  ],
  [
    'client_secret_post',
    () => register({ token_endpoint_auth_method: 'client_secret_post', grant_types: GRANTS }, oidc.ClientSecretPost()),
  ],
  ['private_key_jwt with ES256', () => privateKeyClient('ES256')],
  ['private_key_jwt with Ed25519', () => privateKeyClient('Ed25519')],
]

describe('openid-client', () => {
  test('finds all that it can use from the issuer alone', async () => {
    const found = (await oidc.discovery(issuer, SERVICE.client_id, SERVICE.client_secret, undefined, { execute })).serverMetadata()
    expect(found.issuer).toBe(server.origin)
    expect(found.supportsPKCE()).toBe(true)
    const oauth = await oidc.discovery(issuer, SERVICE.client_id, SERVICE.client_secret, undefined, { execute, algorithm: 'oauth2' })
    expect(oauth.serverMetadata()).toEqual(found)
  })

  test.each(METHODS)('signs in, refreshes, looks at and revokes its tokens as %s', async (_, make) => {
    const config = await make()
    const { tokens, claims } = await signIn(config)
    expect(claims).toMatchObject({ sub: ann.sub, aud: config.clientMetadata().client_id, iss: server.origin })
    expect(await oidc.fetchUserInfo(config, tokens.access_token, ann.sub)).toMatchObject({ sub: ann.sub, email: EMAIL })
    const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '')
    expect(refreshed.claims()).toMatchObject({ sub: ann.sub, email: EMAIL })
    expect(refreshed.refresh_token).not.toBe(tokens.refresh_token)
    const refresh_token = refreshed.refresh_token ?? ''
    const isPublic = config.clientMetadata().token_endpoint_auth_method === 'none'
    if (!isPublic) {
      for (const token of [refreshed.access_token, refresh_token])
        expect(await oidc.tokenIntrospection(config, token)).toMatchObject({ active: true, sub: ann.sub })
    }
    await oidc.tokenRevocation(config, refresh_token)
    if (!isPublic) expect(await oidc.tokenIntrospection(config, refresh_token)).toEqual({ active: false })
    await expect(oidc.refreshTokenGrant(config, refresh_token)).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  test.each(METHODS.slice(1))('gets a token of its own as %s', async (_, make) => {
    const config = await make()
    const { access_token } = await oidc.clientCredentialsGrant(config, { scope: 'notes:read', resource: API })
    expect(await oidc.tokenIntrospection(config, access_token)).toMatchObject({ active: true, aud: API, scope: 'notes:read' })
  })

  test('pushes its request, as a public and as a confidential client', async () => {
    for (const make of [METHODS[0]?.[1], METHODS[3]?.[1]]) {
      const { url, claims } = await signIn((await make?.()) ?? (await register()), { pushed: true })
      expect([...url.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
      expect(claims?.sub).toBe(ann.sub)
    }
  })

  test('takes its answer as a form', async () => {
    const { claims, form } = await signIn(await register(), { parameters: { response_mode: 'form_post' } })
    expect(form?.get('iss')).toBe(server.origin)
    expect(claims?.sub).toBe(ann.sub)
  })

  test('refuses an answer of another issuer, of none, and with another state', async () => {
    const config = await register()
    const changes: ((back: URL) => void)[] = [
      (back) => back.searchParams.set('iss', 'https://evil.example'),
      (back) => back.searchParams.delete('iss'),
      (back) => back.searchParams.set('state', 'another'),
    ]
    for (const change of changes) await expect(signIn(config, { change })).rejects.toMatchObject({ code: 'OAUTH_INVALID_RESPONSE' })
  })

  test('is told at its address what is wrong', async () => {
    const config = await register()
    await expect(signIn(config, { parameters: { scope: 'nonsense' } })).rejects.toMatchObject({ error: 'invalid_scope' })
    await expect(signIn(config, { parameters: { prompt: 'none', max_age: '0' } })).rejects.toMatchObject({ error: 'login_required' })
  })

  test('reads in the ID token what the scope opens of the person, and no more', async () => {
    const config = await register()
    const opened = async (scope: string) => (await signIn(config, { parameters: { scope } })).claims
    expect(await opened('openid email profile')).toMatchObject({ email: EMAIL, email_verified: false, name: 'Ann Example' })
    expect(Object.keys((await opened('openid profile')) ?? {})).not.toContain('email')
    expect(Object.keys((await opened('openid')) ?? {})).not.toContain('name')
  })

  test('hears how long ago the person signed in', async () => {
    const { claims } = await signIn(await register({ require_auth_time: true }), { parameters: { max_age: '0' } })
    expect(claims?.auth_time).toBeGreaterThanOrEqual(ann.auth_time)
  })
})

describe('openid-client with DPoP', () => {
  test.each([
    ['plainly', false],
    ['with a pushed request', true],
  ])('binds its tokens %s, and brings the nonce by itself', async (_, pushed) => {
    const config = await register({ dpop_bound_access_tokens: true })
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair())
    const { tokens } = await signIn(config, { pushed, DPoP })
    expect(tokens.token_type).toBe('dpop')
    expect(await oidc.fetchUserInfo(config, tokens.access_token, ann.sub, { DPoP })).toMatchObject({ email: EMAIL })
    const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, { DPoP })
    const userinfo = new URL(config.serverMetadata().userinfo_endpoint ?? '')
    const asked = await oidc.fetchProtectedResource(config, refreshed.access_token, userinfo, 'GET', undefined, undefined, { DPoP })
    expect(asked.status).toBe(200)
    await expect(oidc.fetchUserInfo(config, refreshed.access_token, ann.sub)).rejects.toMatchObject({ status: 401 })
    const stranger = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair())
    await expect(oidc.refreshTokenGrant(config, refreshed.refresh_token ?? '', undefined, { DPoP: stranger })).rejects.toMatchObject({
      error: 'invalid_grant',
    })
  })
})

describe('openid-client on a device', () => {
  test('waits until the person has allowed it', async () => {
    const config = await register({ redirect_uris: [], grant_types: GRANTS.slice(-1), response_types: [] })
    const begun = await oidc.initiateDeviceAuthorization(config, { scope: 'openid email' })
    expect((await person.visit(begun.verification_uri_complete ?? '')).reply?.text).toContain('device')
    const tokens = await oidc.pollDeviceAuthorizationGrant(config, begun)
    expect(tokens.claims()?.sub).toBe(ann.sub)
    expect(await oidc.fetchUserInfo(config, tokens.access_token, ann.sub)).toMatchObject({ email: EMAIL })
  })
})

describe('a service with openid-client', () => {
  test('exchanges the token that it was called with for one to call on with', async () => {
    const app = await register()
    const { tokens } = await signIn(app, { parameters: { scope: 'openid notes:read notes:write', resource: API } })
    const service = await oidc.discovery(issuer, SERVICE.client_id, SERVICE.client_secret, oidc.ClientSecretBasic(SERVICE.client_secret), {
      execute,
    })
    expect(await oidc.tokenIntrospection(service, tokens.access_token)).toMatchObject({ active: true, aud: API, sub: ann.sub })
    const exchanged = await oidc.genericGrantRequest(service, EXCHANGE, {
      subject_token: tokens.access_token,
      subject_token_type: ACCESS_TOKEN,
      resource: OTHER_API,
      scope: 'notes:read',
    })
    expect(exchanged).toMatchObject({ issued_token_type: ACCESS_TOKEN, token_type: 'bearer', scope: 'notes:read' })
    expect(await oidc.tokenIntrospection(service, exchanged.access_token)).toMatchObject({
      ...{ active: true, aud: OTHER_API, sub: ann.sub, client_id: SERVICE.client_id, scope: 'notes:read' },
    })
  })
})

describe('a sign-out with openid-client', () => {
  test('ends the session and comes back with the state', async () => {
    const config = await register({ post_logout_redirect_uris: [SIGNED_OUT] })
    const { tokens } = await signIn(config)
    const url = oidc.buildEndSessionUrl(config, {
      post_logout_redirect_uri: SIGNED_OUT,
      id_token_hint: tokens.id_token ?? '',
      state: 'kept',
    })
    expect((await person.visit(url)).url.href).toBe(`${SIGNED_OUT}?state=kept`)
    await expect(signIn(config, { parameters: { prompt: 'none' } })).rejects.toMatchObject({ error: 'login_required' })
  })
})
