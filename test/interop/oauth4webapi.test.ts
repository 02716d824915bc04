// oauth4webapi 3 (https://github.com/panva/oauth4webapi), step by step as in its examples, against a production configuration behind TLS:
// nothing is allowed to the library that it would not allow by itself.
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CALLBACK } from '../support/node/oauth.ts'
import { browser, PASSWORD, type Session, signUp } from '../support/node/person.ts'
import { type SecureServer, startSecureServer } from '../support/node/secure-server.ts'
import { clientKey } from './client-key.ts'
import { ACCESS_TOKEN, API, EXCHANGE, OTHER_API, SERVICE, VARS } from './service.ts'
import { createVisitor, type Visitor } from './visitor.ts'

const EMAIL = 'bea@example.com'
const SIGNED_OUT = 'https://app.example.com/bye'
const INITIAL_ACCESS_TOKEN = 'test-only-initial-access-token-of-an-operator'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'

let deployed: SecureServer
let as: oauth.AuthorizationServer
let bea: Session
let person: Visitor
beforeAll(async () => {
  deployed = await startSecureServer({ vars: { ...VARS, SALLYPORT_ENV: 'production', LAB: 'off', INITIAL_ACCESS_TOKEN } })
  const issuer = new URL(deployed.issuer)
  as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
  const setup = browser(deployed.issuer)
  bea = await signUp(setup, EMAIL)
  setup.close()
  person = createVisitor(deployed.issuer, { email: EMAIL, password: PASSWORD })
})
afterAll(async () => {
  person.close()
  await deployed.stop()
})

type App = { client: oauth.Client; auth: oauth.ClientAuth }

async function register(
  metadata: Partial<oauth.OmitSymbolProperties<oauth.Client>> = {},
): Promise<oauth.OmitSymbolProperties<oauth.Client>> {
  const about = { client_name: 'oauth4webapi', redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', ...metadata }
  const response = await oauth.dynamicClientRegistrationRequest(as, about, { initialAccessToken: INITIAL_ACCESS_TOKEN })
  return oauth.processDynamicClientRegistrationResponse(response)
}

const publicApp = async (metadata = {}): Promise<App> => ({ client: await register(metadata), auth: oauth.None() })

async function secretApp(method: 'client_secret_basic' | 'client_secret_post', grant_types = ['authorization_code', 'refresh_token']) {
  const client = await register({ token_endpoint_auth_method: method, grant_types })
  const secret = String(client.client_secret)
  return { client, auth: method === 'client_secret_basic' ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret) }
}

async function keyApp(alg: string): Promise<App> {
  const { key, jwks } = await clientKey(alg)
  const client = await register({ token_endpoint_auth_method: 'private_key_jwt', jwks })
  return { client, auth: oauth.PrivateKeyJwt({ key, kid: alg }) }
}

/** As the examples do it: a DPoP request that is refused for its nonce is made once more, with the nonce that the handle has kept. */
async function again<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return ask()
  }
}

type Way = { parameters?: Record<string, string>; pushed?: boolean; DPoP?: oauth.DPoPHandle }

async function signIn({ client, auth }: App, { parameters = {}, pushed = false, DPoP }: Way = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const [state, expectedNonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()]
  const asked = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'openid email profile offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce: expectedNonce,
    ...parameters,
  })
  const options = DPoP ? { DPoP } : {}
  const url = new URL(as.authorization_endpoint ?? '')
  url.search = `${pushed ? await push({ client, auth }, asked, options) : asked}`
  const { url: back, form } = await person.visit(url)
  const callback = oauth.validateAuthResponse(as, client, form ?? back, state)
  const tokens = await again(async () => {
    const response = await oauth.authorizationCodeGrantRequest(as, client, auth, callback, CALLBACK, verifier, options)
    const answer = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce, requireIdToken: true })
    await oauth.validateApplicationLevelSignature(as, response)
    return answer
  })
  return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens), form }
}

async function push({ client, auth }: App, asked: URLSearchParams, options: { DPoP?: oauth.DPoPHandle }): Promise<URLSearchParams> {
  const pushed = await again(async () =>
    oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, auth, asked, options)),
  )
  return new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri })
}

const refresh = ({ client, auth }: App, token = '', options: { DPoP?: oauth.DPoPHandle } = {}) =>
  again(async () => {
    const response = await oauth.refreshTokenGrantRequest(as, client, auth, token, options)
    return oauth.processRefreshTokenResponse(as, client, response)
  })

const introspect = async ({ client, auth }: App, token: string) =>
  oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, auth, token))

const userinfo = async ({ client }: App, token: string, options: { DPoP?: oauth.DPoPHandle } = {}) =>
  oauth.processUserInfoResponse(as, client, bea.sub, await oauth.userInfoRequest(as, client, token, options))

const service: App = {
  client: { client_id: SERVICE.client_id },
  auth: oauth.ClientSecretBasic(SERVICE.client_secret),
}

const APPS: [string, () => Promise<App>][] = [
  ['none', publicApp],
  ['client_secret_basic', () => secretApp('client_secret_basic')],
  ['client_secret_post', () => secretApp('client_secret_post')],
  ['private_key_jwt with ES256', () => keyApp('ES256')],
  ['private_key_jwt with PS256', () => keyApp('PS256')],
  ['private_key_jwt with Ed25519', () => keyApp('Ed25519')],
]

describe('oauth4webapi', () => {
  test('reads the same metadata by both well-known addresses', async () => {
    const issuer = new URL(deployed.issuer)
    expect(await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))).toEqual(as)
  })

  test.each(APPS)('signs in, refreshes, and revokes what it got as %s', async (_, make) => {
    const app = await make()
    const { tokens, claims } = await signIn(app)
    expect(claims).toMatchObject({ sub: bea.sub, iss: deployed.issuer })
    expect(await userinfo(app, tokens.access_token)).toMatchObject({ email: EMAIL, email_verified: false })
    const refreshed = await refresh(app, tokens.refresh_token)
    expect(oauth.getValidatedIdTokenClaims(refreshed)?.sub).toBe(bea.sub)
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, app.client, app.auth, refreshed.refresh_token ?? ''))
    await expect(refresh(app, refreshed.refresh_token)).rejects.toMatchObject({ error: 'invalid_grant' })
  })

  test.each(APPS.slice(0, 4))('pushes its request as %s', async (_, make) => {
    const { claims } = await signIn(await make(), { pushed: true })
    expect(claims?.sub).toBe(bea.sub)
  })

  test('takes its answer as a form', async () => {
    const { claims, form } = await signIn(await publicApp(), { parameters: { response_mode: 'form_post' } })
    expect(form?.get('iss')).toBe(deployed.issuer)
    expect(claims?.sub).toBe(bea.sub)
  })

  test('refuses an answer whose issuer is another, or is missing', async () => {
    const { client } = await publicApp()
    const answer = { code: 'x', state: 's', iss: deployed.issuer }
    expect(oauth.validateAuthResponse(as, client, new URLSearchParams(answer), 's').get('code')).toBe('x')
    for (const wrong of [
      { code: 'x', state: 's' },
      { ...answer, iss: 'https://evil.example' },
    ]) {
      expect(() => oauth.validateAuthResponse(as, client, new URLSearchParams(wrong), 's')).toThrow(oauth.OperationProcessingError)
    }
  })

  test('gets a token of its own, and sees that it lives', async () => {
    const app = await secretApp('client_secret_basic', ['client_credentials'])
    const response = await oauth.clientCredentialsGrantRequest(as, app.client, app.auth, { scope: 'notes:read', resource: API })
    const { access_token } = await oauth.processClientCredentialsResponse(as, app.client, response)
    expect(await introspect(app, access_token)).toMatchObject({ active: true, aud: API, scope: 'notes:read' })
  })

  test('waits for the person on a device', async () => {
    const app = await publicApp({ redirect_uris: [], grant_types: [DEVICE], response_types: [] })
    const response = await oauth.deviceAuthorizationRequest(as, app.client, app.auth, { scope: 'openid' })
    const begun = await oauth.processDeviceAuthorizationResponse(as, app.client, response)
    const poll = async () => {
      const answer = await oauth.deviceCodeGrantRequest(as, app.client, app.auth, begun.device_code)
      return oauth.processDeviceCodeResponse(as, app.client, answer)
    }
    await expect(poll()).rejects.toMatchObject({ error: 'authorization_pending' })
    await person.visit(begun.verification_uri_complete ?? '')
    expect(oauth.getValidatedIdTokenClaims(await poll())?.sub).toBe(bea.sub)
    await expect(poll()).rejects.toMatchObject({ error: expect.stringMatching(/^(?:invalid_grant|expired_token)$/) })
  })

  test('leads to the sign-out, and back', async () => {
    const app = await publicApp({ post_logout_redirect_uris: [SIGNED_OUT] })
    const { tokens } = await signIn(app)
    const url = new URL(as.end_session_endpoint ?? '')
    url.search = `${new URLSearchParams({ id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: SIGNED_OUT, state: 'kept' })}`
    expect((await person.visit(url)).url.href).toBe(`${SIGNED_OUT}?state=kept`)
  })
})

describe('oauth4webapi with DPoP', () => {
  test.each([
    ['ES256', false],
    ['ES256', true],
    ['Ed25519', false],
  ])('binds its tokens to a key for %s (pushed request: %s)', async (alg, pushed) => {
    const app = await publicApp({ dpop_bound_access_tokens: true })
    const DPoP = oauth.DPoP(app.client, await oauth.generateKeyPair(alg))
    const { tokens } = await signIn(app, { pushed, DPoP })
    expect(tokens.token_type).toBe('dpop')
    expect(await userinfo(app, tokens.access_token, { DPoP })).toMatchObject({ email: EMAIL })
    const { access_token } = await refresh(app, tokens.refresh_token, { DPoP })
    expect(await userinfo(app, access_token, { DPoP })).toMatchObject({ email: EMAIL })
    await expect(userinfo(app, access_token)).rejects.toMatchObject({ status: 401 })
  })
})

describe('a resource server with oauth4webapi', () => {
  const parameters = { scope: 'openid notes:read notes:write', resource: API }

  /** What the API receives: the request that the library makes, kept instead of sent. */
  async function received(token: string, options: { DPoP?: oauth.DPoPHandle } = {}): Promise<Request> {
    let kept: Request | undefined
    await oauth.protectedResourceRequest(token, 'GET', new URL('/notes', API), undefined, undefined, {
      ...options,
      [oauth.customFetch]: async (url, { headers, method }) => {
        kept = new Request(url, { headers, method })
        return new Response()
      },
    })
    if (!kept) throw new Error('nothing was sent')
    return kept
  }

  test('knows an access token by RFC 9068, plain and bound', async () => {
    const plain = (await signIn(await publicApp(), { parameters })).tokens.access_token
    expect(await oauth.validateJwtAccessToken(as, await received(plain), API)).toMatchObject({ sub: bea.sub, scope: parameters.scope })
    await expect(oauth.validateJwtAccessToken(as, await received(plain), OTHER_API)).rejects.toThrow()
    const app = await publicApp({ dpop_bound_access_tokens: true })
    const DPoP = oauth.DPoP(app.client, await oauth.generateKeyPair('ES256'))
    const bound = (await signIn(app, { parameters, DPoP })).tokens.access_token
    const claims = await oauth.validateJwtAccessToken(as, await received(bound, { DPoP }), API)
    expect(claims.cnf?.jkt).toBe(await DPoP.calculateThumbprint())
    await expect(oauth.validateJwtAccessToken(as, await received(bound), API)).rejects.toThrow()
  })

  test('asks whether it lives, and exchanges it', async () => {
    const { access_token } = (await signIn(await publicApp(), { parameters })).tokens
    expect(await introspect(service, access_token)).toMatchObject({ active: true, sub: bea.sub, aud: API })
    const asked = { subject_token: access_token, subject_token_type: ACCESS_TOKEN, resource: OTHER_API, scope: 'notes:read' }
    const response = await oauth.genericTokenEndpointRequest(as, service.client, service.auth, EXCHANGE, asked)
    const exchanged = await oauth.processGenericTokenEndpointResponse(as, service.client, response)
    const claims = await oauth.validateJwtAccessToken(as, await received(exchanged.access_token), OTHER_API)
    expect(claims).toMatchObject({ sub: bea.sub, scope: 'notes:read', act: { sub: SERVICE.client_id } })
  })
})
