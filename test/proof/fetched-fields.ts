/** Where a stranger can put a URL that this service may come to fetch, and where they can put one that it never does: each as one request. */
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Client, Reply } from '../support/node/http.ts'
import { authorizationQuery, authorize, pkce, type Registered } from '../support/node/oauth.ts'
import { bearer, browser, PASSWORD, requireStatus, signUp } from '../support/node/person.ts'
import type { Server } from '../support/node/server.ts'

export const ISSUER = 'https://auth.example.com'
const INITIAL_ACCESS_TOKEN = 'test-only-initial-access-token-that-is-long'
export const PRODUCTION = { SALLYPORT_ENV: 'production', ISSUER, LAB: '', SIGN_UP: 'immediate', INITIAL_ACCESS_TOKEN }

const { publicKey, privateKey } = await generateKeyPair('ES256')
const jwk = await exportJWK(publicKey)
/** The public keys of every client here. */
export const KEYS = { keys: [jwk] }

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const form = (fields: Record<string, string>) => new URLSearchParams(fields)

/** What leads nowhere by itself, in a header of a token: keys that whoever made it would have us fetch (RFC 7515, 4.1.2 and 4.1.5). */
export const hostileHeader = (url: string) => ({ jku: url, x5u: url, kid: url })

/** A token that anybody can make, signed by a key of their own. */
export const strangersToken = (claims: Record<string, unknown>, header: object = {}): Promise<string> =>
  new SignJWT({ jti: crypto.randomUUID(), ...claims })
    .setProtectedHeader({ alg: 'ES256', ...header })
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey)

/** `private_key_jwt`: what a client sends to say who it is. */
export const asserted = async (client_id: string, aud: string, header: object = {}) => ({
  client_assertion_type: ASSERTION_TYPE,
  client_assertion: await strangersToken({ iss: client_id, sub: client_id, aud }, header),
})

export type Place = (http: Client, url: string, issuer: string) => Promise<Reply<unknown>>

/** Of the clients in clients.toml that have one. */
const SECRET = 'sps_test-only-secret-of-a-client-0000000000000000'
export const SECRET_HASH = createHash('sha256').update(SECRET).digest('base64url')
const basicOf = (id: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id.toWellFormed())}:${SECRET}`).toString('base64')}`,
})
const challenge = pkce().code_challenge
const clientOf = (client_id: string): Registered => ({
  client_id,
  token_endpoint_auth_method: 'none',
  registration_access_token: '',
  registration_client_uri: '',
})
const query = (client_id: string, changes = {}) => `/oauth/authorize?${authorizationQuery(clientOf(client_id), challenge, changes)}`

/** The `client_id` of a metadata document, wherever a client is looked up. */
export const CLIENT_ID: Record<string, Place> = {
  authorize: (http, url) => http.get(query(url)),
  par: (http, url) => http.post('/oauth/par', new URLSearchParams(authorizationQuery(clientOf(url), challenge))),
  token: (http, url) => http.post('/oauth/token', form({ grant_type: 'authorization_code', code: 'x', client_id: url })),
  'token-by-header': (http, url) => http.post('/oauth/token', form({ grant_type: 'refresh_token', refresh_token: 'x' }), basicOf(url)),
  'token-by-assertion': async (http, url, issuer) =>
    http.post('/oauth/token', form({ grant_type: 'authorization_code', code: 'x', ...(await asserted(url, issuer)) })),
  device: (http, url) => http.post('/oauth/device_authorization', form({ client_id: url, scope: 'openid' })),
  introspect: (http, url) => http.post('/oauth/introspect', form({ client_id: url, token: 'x' })),
  revoke: (http, url) => http.post('/oauth/revoke', form({ client_id: url, token: 'x' })),
  logout: (http, url) => http.get(`/oauth/logout?${form({ client_id: url, post_logout_redirect_uri: 'https://shop.example.com/bye' })}`),
}

/** A client that is there and does nothing; it stands in clients.toml. */
export const CONFIGURED = 'the-shop'

/** Requests that hold a URL which no part of the service has a reason to fetch, whatever the URL. */
export const NEVER_FETCHED: Record<string, Place> = {
  'request_uri (OpenID Connect Core, 6.2)': (http, url) => http.get(query(CONFIGURED, { request_uri: url })),
  'request_uri, pushed': (http, url) =>
    http.post('/oauth/par', new URLSearchParams(authorizationQuery(clientOf(CONFIGURED), challenge, { request_uri: url }))),
  'resource and redirect_uri': (http, url) => http.get(query(CONFIGURED, { resource: url, redirect_uri: url })),
  'a request object': async (http, url) =>
    http.get(query(CONFIGURED, { request: await strangersToken({ iss: CONFIGURED, client_id: CONFIGURED }, hostileHeader(url)) })),
  id_token_hint: async (http, url, issuer) =>
    http.get(`/oauth/logout?${form({ id_token_hint: await strangersToken({ iss: issuer, aud: CONFIGURED }, hostileHeader(url)) })}`),
  'the header of a client assertion': async (http, url, issuer) =>
    http.post('/oauth/token', form({ grant_type: 'client_credentials', ...(await asserted('by-key', issuer, hostileHeader(url))) })),
  'an access token and a DPoP proof': async (http, url) =>
    http.post('/oauth/userinfo', undefined, {
      authorization: `DPoP ${await strangersToken({ iss: url, aud: url, sub: 'x' }, { ...hostileHeader(url), typ: 'at+jwt' })}`,
      dpop: await strangersToken({ htm: 'POST', htu: url }, { typ: 'dpop+jwt', jwk: { ...jwk, x5u: url } }),
    }),
  'a token that is introspected': async (http, url) =>
    http.post('/oauth/introspect', form({ token: await strangersToken({ iss: url }, hostileHeader(url)) }), basicOf('by-secret')),
  'a token that is exchanged': async (http, url) =>
    http.post(
      '/oauth/token',
      form({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: await strangersToken({ iss: url }, hostileHeader(url)),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        resource: url,
      }),
      basicOf('by-secret'),
    ),
  'members of a registration that are ignored': async (http, url) =>
    change(http, {
      ...{ sector_identifier_uri: url, request_uris: [url], initiate_login_uri: url, signed_jwks_uri: url, request_object_uri: url },
      software_statement: await strangersToken({ iss: url, jwks_uri: url }, hostileHeader(url)),
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...jwk, x5u: url, jku: url }] },
    }),
  'pages of a registration': (http, url) => change(http, { logo_uri: url, client_uri: url, policy_uri: url, tos_uri: url }),
  'addresses of a registration that people are sent to': (http, url) =>
    change(http, { redirect_uris: [url], post_logout_redirect_uris: [url] }),
}

const managed = new Map<Client, Promise<Registered>>()

/** A new object for each would take longer than the rest together: one client changes what it has registered. */
async function change(http: Client, members: object): Promise<Reply<unknown>> {
  const known = managed.get(http) ?? registering(http, {}).then((reply) => requireStatus(reply, 201).json)
  managed.set(http, known)
  const { client_id, registration_access_token } = await known
  const all = { client_id, redirect_uris: ['https://app.example.com/callback'], ...members }
  return http.put(`/oauth/register/${client_id}`, all, bearer(registration_access_token))
}

/** Registers a client; the answer may be a refusal. */
export const registering = (http: Client, members: object): Promise<Reply<Registered>> =>
  http.post<Registered>(
    '/oauth/register',
    { redirect_uris: ['https://app.example.com/callback'], ...members },
    bearer(INITIAL_ACCESS_TOKEN),
  )

/** A person who has just signed up, whose consent page is one of `issuer`. */
export async function somebody(server: Server, name: string, issuer = ISSUER): Promise<Client> {
  const person = { ...browser(server.origin), origin: issuer }
  await signUp(person, `${name}@example.com`, PASSWORD)
  return person
}

/** Goes all the way for a client, so that it is told when this session ends. */
export async function signInTo(http: Client, person: Client, client_id: string, redirect_uri: string): Promise<void> {
  const { code_verifier, code_challenge } = pkce()
  const back = await authorize(person, authorizationQuery(clientOf(client_id), code_challenge, { redirect_uri }))
  const code = back.searchParams.get('code') ?? ''
  const fields = form({ grant_type: 'authorization_code', client_id, code, code_verifier, redirect_uri })
  requireStatus(await http.post('/oauth/token', fields), 200)
}

export const signOut = async (person: Client, issuer = ISSUER) =>
  requireStatus(await person.post('/api/sign-out', {}, { origin: issuer }), 204)

/** So many at a time, in no order. */
export async function eachOf<T>(items: Iterable<T>, act: (item: T, index: number) => Promise<unknown>, atOnce = 24): Promise<void> {
  const rest = [...items].entries()
  const worker = async () => {
    for (const [index, item] of rest) await act(item, index)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

/** Looks each 25 ms; the test's own time ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 25))
}

/** What the log says of notices that did not arrive. */
export const undelivered = (server: Server): { client_id: string; reason: string }[] =>
  server
    .output()
    .split('\n')
    .flatMap((line) => (line.includes('"logout_not_delivered"') ? [JSON.parse(line.slice(line.indexOf('{')))] : []))
