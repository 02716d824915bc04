/** Where credentials are taken: the headers of every route, and each field of a form, a query or a body that takes one. */
import type { Body } from '../support/node/http.ts'
import { asClient, authorizationQuery, CALLBACK, pkce, type Registered } from '../support/node/oauth.ts'
import type { Server } from '../support/node/server.ts'
import { ASSERTION_TYPE, makeProof } from './client-proofs.ts'
import { EXCHANGE, type Kind, type Purse, SERVICE } from './credential-kinds.ts'
import { DEVICE_GRANT } from './device-flow.ts'
import { bearer } from './person.ts'

export type Sent = { method: string; path: string; headers?: Record<string, string>; body?: Body }

/** `takes`: the names of its security schemes in the OpenAPI document. */
export type Route = { method: string; path: string; takes: string[] }

export type Make = (credential: string) => Sent | Promise<Sent>

export type Carrier = { name: string; takes: (route: Route) => readonly Kind[]; make: (server: Server, purse: Purse, route: Route) => Make }

const sent = ({ method, path }: Route, headers: Record<string, string>): Sent => ({ method, path, headers })

/** The tokens that a route takes in `Authorization: Bearer`. */
function bearerKinds({ path, takes }: Route): readonly Kind[] {
  if (takes.includes('operator')) return ['operator']
  if (path.startsWith('/oauth/register/')) return ['registration_token']
  if (!takes.includes('bearer')) return []
  // With the cookie beside it, it is a route for our own apps.
  return takes.includes('cookie') ? ['access_token'] : ['access_token', 'oauth_access_token', 'machine_token']
}

export const CARRIERS: readonly Carrier[] = [
  { name: 'bearer token', takes: bearerKinds, make: (_server, _purse, route) => (value) => sent(route, bearer(value)) },
  {
    name: 'DPoP token',
    takes: ({ takes }) => (takes.includes('bearer') ? ['bound_token'] : []),
    make:
      (server, { key }, route) =>
      async (value) => {
        const dpop = await makeProof(key, { method: route.method, url: `${server.origin}${route.path}`, accessToken: value })
        return sent(route, { authorization: `DPoP ${value}`, dpop })
      },
  },
  {
    name: 'session cookie',
    takes: () => ['session'],
    make: (server, _purse, route) => (value) => sent(route, { cookie: `__Host-session=${value}`, origin: server.origin }),
  },
  {
    name: 'device cookie',
    takes: () => ['device_cookie'],
    make: (server, _purse, route) => (value) => sent(route, { cookie: `__Host-device=${value}`, origin: server.origin }),
  },
  {
    name: 'client secret in the header',
    // This client has registered the form.
    takes: () => [],
    make:
      (_server, { client_id }, route) =>
      (value) =>
        sent(route, { authorization: `Basic ${Buffer.from(`${client_id}:${encodeURIComponent(value)}`).toString('base64')}` }),
  },
  {
    name: 'token in the address',
    takes: () => [],
    make:
      (_server, _purse, { path, ...route }) =>
      (value) =>
        sent({ ...route, path: `${path}?access_token=${encodeURIComponent(value)}` }, {}),
  },
]

export type Consumer = {
  /** `POST /oauth/token` */
  route: string
  name: string
  takes: readonly Kind[]
  /** Its answer shows that it was taken; otherwise only what becomes of the credential does. */
  tells: boolean
  make: Make
}

const ACTIVE: readonly Kind[] = ['oauth_access_token', 'resource_token', 'oauth_refresh_token', 'bound_token', 'machine_token']

export function consumersOf(server: Server, purse: Purse): Consumer[] {
  const { client, other, asserting } = purse
  const post = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Sent => ({
    ...{ method: 'POST', path, headers },
    body: new URLSearchParams(fields),
  })
  const get = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Sent => ({
    ...{ method: 'GET', path: `${path}?${new URLSearchParams(fields)}`, headers },
  })
  const as = (it: Registered) => asClient(it).form
  const query = (changes = {}) => Object.fromEntries(new URLSearchParams(authorizationQuery(client, pkce().code_challenge, changes)))
  const cookie = () => purse.cookie()
  const consumer = (route: string, field: string, takes: readonly Kind[], make: Make, tells = true): Consumer => ({
    ...{ route, takes, make, tells },
    name: `${field} of ${route}`,
  })
  const token = (field: string, takes: readonly Kind[], fields: Record<string, string>, make: (value: string) => Record<string, string>) =>
    consumer('POST /oauth/token', field, takes, (value) => post('/oauth/token', { ...fields, ...make(value) }))
  /** Each way in which a client shows who it is, wherever one does. */
  const authenticated = (path: string, fields: () => Record<string, string>, mine: Record<string, string> = {}) => [
    consumer(`POST ${path}`, 'client_secret', ['client_secret'], (client_secret) =>
      post(path, { ...fields(), ...mine, client_id: client.client_id, client_secret }),
    ),
    consumer(`POST ${path}`, 'client_assertion', ['client_assertion'], (client_assertion) =>
      post(path, { ...fields(), client_id: asserting.client_id, client_assertion_type: ASSERTION_TYPE, client_assertion }),
    ),
  ]
  const machine = { grant_type: 'client_credentials' }
  const own = { origin: server.origin }
  return [
    ...authenticated('/oauth/token', () => machine),
    ...authenticated('/oauth/introspect', () => ({ token: 'x' })),
    ...authenticated('/oauth/revoke', () => ({ token: 'x' })),
    ...authenticated('/oauth/device_authorization', () => ({})),
    ...authenticated('/oauth/par', query),
    // The verifier is not the point: with a wrong one a code is refused like nonsense.
    token('code', ['code'], { ...as(client), grant_type: 'authorization_code', redirect_uri: CALLBACK }, (code) => ({
      code,
      code_verifier: purse.verifierOf(code),
    })),
    token('refresh_token', ['oauth_refresh_token'], { ...as(client), grant_type: 'refresh_token' }, (refresh_token) => ({ refresh_token })),
    token('device_code', ['device_code'], { ...as(client), grant_type: DEVICE_GRANT }, (device_code) => ({ device_code })),
    token(
      'subject_token',
      ['resource_token'],
      { ...SERVICE, grant_type: EXCHANGE, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
      (subject_token) => ({ subject_token }),
    ),
    consumer('POST /oauth/token', 'DPoP', ['dpop_proof'], (dpop) => post('/oauth/token', { ...as(client), ...machine }, { dpop })),
    consumer('POST /oauth/introspect', 'token', ACTIVE, (value) => post('/oauth/introspect', { ...as(client), token: value })),
    consumer('POST /oauth/introspect', 'token, by another client', [], (value) =>
      post('/oauth/introspect', { ...as(other), token: value }),
    ),
    consumer('POST /oauth/revoke', 'token', ACTIVE, (value) => post('/oauth/revoke', { ...as(client), token: value }), false),
    consumer('POST /oauth/revoke', 'token, by another client', [], (value) => post('/oauth/revoke', { ...as(other), token: value })),
    consumer('POST /oauth/userinfo', 'access_token', ['oauth_access_token'], (access_token) => post('/oauth/userinfo', { access_token })),
    consumer('GET /oauth/authorize', 'request_uri', ['request_uri'], (request_uri) =>
      get('/oauth/authorize', { client_id: client.client_id, request_uri }),
    ),
    consumer('GET /oauth/authorize', 'interaction', ['interaction'], (interaction) => get('/oauth/authorize', { interaction }, cookie())),
    consumer('GET /oauth/authorize', 'id_token_hint', ['id_token'], (id_token_hint) =>
      get('/oauth/authorize', query({ scope: 'openid', id_token_hint }), cookie()),
    ),
    consumer('POST /consent', 'interaction', ['interaction'], (interaction) =>
      post('/consent', { interaction, decision: 'deny' }, cookie()),
    ),
    // Nobody is signed in here, so that nobody is signed out.
    consumer('GET /oauth/logout', 'id_token_hint', ['id_token'], (id_token_hint) => get('/oauth/logout', { id_token_hint })),
    consumer('POST /oauth/logout', 'id_token_hint', ['id_token'], (id_token_hint) =>
      post('/oauth/logout', { id_token_hint, confirmed: 'yes' }, own),
    ),
    consumer('POST /device', 'user_code', ['user_code'], (user_code) => post('/device', { user_code }, cookie())),
    ...['/sign-in', '/sign-up'].flatMap((path) => [
      consumer(`GET ${path}`, 'interaction', ['interaction'], (interaction) => get(path, { interaction })),
      consumer(`POST ${path}`, 'interaction', ['interaction'], (interaction) => post(path, { interaction }, own), false),
    ]),
    consumer('POST /api/refresh', 'refresh_token', ['refresh_token'], (refresh_token) => ({
      ...{ method: 'POST', path: '/api/refresh', body: { refresh_token } },
    })),
    consumer('POST /api/sign-out', 'refresh_token', ['refresh_token'], (refresh_token) => ({
      ...{ method: 'POST', path: '/api/sign-out', body: { refresh_token } },
    })),
  ]
}
