import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, createClient } from '../support/node/http.ts'
import { authorizationQuery, pkce, postAs, type Registered, refreshAs, register, tokensFor } from '../support/node/oauth.ts'
import {
  app,
  bearer,
  demo,
  FRESHNESSES,
  fromOwnPage,
  operatorOf,
  PASSWORD,
  signIn,
  signInForTokens,
  signUp,
} from '../support/node/person.ts'
import { faultsOf, type Recorded, recording } from '../support/node/recorder.ts'
import { type Server, startServer } from '../support/node/server.ts'

/** What the design's table of paths promises by now. */
const ROUTES = [
  'GET /',
  'GET /health',
  'GET /.well-known/openid-configuration',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/oauth-protected-resource',
  'GET /.well-known/jwks.json',
  'GET /revocations',
  'GET /oauth/authorize',
  'POST /oauth/authorize',
  'POST /consent',
  'POST /oauth/token',
  'POST /oauth/par',
  'POST /oauth/device_authorization',
  'GET /device',
  'POST /device',
  'POST /oauth/introspect',
  'POST /oauth/revoke',
  'GET /oauth/logout',
  'POST /oauth/logout',
  'GET /oauth/userinfo',
  'POST /oauth/userinfo',
  'GET /sign-in',
  'POST /sign-in',
  'GET /sign-up',
  'POST /sign-up',
  'GET /sign-out',
  'POST /sign-out',
  'POST /api/sign-up',
  'POST /api/sign-in',
  'POST /api/sign-out',
  'GET /api/session',
  'GET /api/sessions',
  'DELETE /api/sessions',
  'DELETE /api/sessions/{sid}',
  'POST /api/password',
  'POST /api/token',
  'POST /api/refresh',
  'GET /api/openapi.json',
  'GET /api/demo/offline',
  'GET /api/demo/fresh',
  'GET /api/demo/live',
  'GET /api/demo/session',
  'POST /oauth/register',
  'GET /oauth/register/{client_id}',
  'PUT /oauth/register/{client_id}',
  'DELETE /oauth/register/{client_id}',
  'POST /oauth/register/{client_id}/secret',
  'GET /admin/api/keys',
  'POST /admin/api/keys/rotate',
  'POST /admin/api/keys/{kid}/revoke',
  'POST /admin/api/revocations/renew',
  'GET /admin/api/accounts',
  'POST /admin/api/accounts/{sub}/ban',
  'POST /admin/api/accounts/{sub}/unban',
  'PUT /admin/api/accounts/{sub}/roles',
  'DELETE /admin/api/accounts/{sub}/sessions',
  'GET /dev/mailbox',
  'GET /dev/mailbox.json',
]

type Operation = {
  summary: string
  security: Record<string, string[]>[]
  parameters?: { name: string; in: string }[]
  requestBody?: object
  responses: Record<string, { description: string; content?: Record<string, object> }>
}
type OpenApi = {
  openapi: string
  servers: { url: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { securitySchemes: Record<string, object> }
}

let server: Server
let client: Client
let document: OpenApi
let operations: Map<string, Operation>
beforeAll(async () => {
  server = await startServer()
  client = app(server.origin)
  document = (await client.get<OpenApi>('/api/openapi.json')).json
  operations = new Map(
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  )
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const NEW_PASSWORD = 'silent-marten-52-harbour'

/** An app's life: it registers, is given what a person allows, and goes. */
async function walkAsApp(everybody: Client, person: Client) {
  const own = { origin: server.origin }
  const client = await register(everybody, {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT],
  })
  const manage = bearer(client.registration_access_token)
  const at = `/oauth/register/${client.client_id}`
  await everybody.get(at, manage)
  await everybody.put(at, { ...client, client_name: 'Renamed' }, manage)
  const { client_secret = '' } = (await everybody.post<Registered>(`${at}/secret`, undefined, manage)).json
  const app = { ...client, client_secret }
  const { access_token, refresh_token = '' } = await tokensFor(everybody, person, app, { scope: 'openid offline_access' })
  await everybody.post('/oauth/authorize', new URLSearchParams(authorizationQuery(app, pkce().code_challenge)))
  await everybody.get('/oauth/userinfo', bearer(access_token))
  await everybody.post('/oauth/userinfo', undefined, bearer(access_token))
  await postAs(everybody, '/oauth/introspect', app, { token: access_token })
  await refreshAs(everybody, app, refresh_token)
  await postAs(everybody, '/oauth/par', app, Object.fromEntries(new URLSearchParams(authorizationQuery(app, pkce().code_challenge))))
  const device = (await postAs<{ user_code: string }>(everybody, '/oauth/device_authorization', app, { scope: 'openid' })).json
  await person.get('/device')
  await person.post('/device', new URLSearchParams({ user_code: device.user_code }), own)
  await person.post('/device', new URLSearchParams({ user_code: device.user_code, decision: 'allow' }), own)
  await postAs(everybody, '/oauth/revoke', app, { token: access_token })
  await person.get('/oauth/logout')
  await everybody.post('/oauth/logout', new URLSearchParams(), own)
  await everybody.delete(at, manage)
}

/** One life through every route: each is answered with what it is for, and refused at least once. */
async function walk(everybody: Client, person: Client) {
  const own = fromOwnPage(server)
  const operator = operatorOf(server)
  for (const route of ROUTES) await everybody.request(route.slice(0, route.indexOf(' ')), pathOf(route))
  for (const path of ['/', '/health', '/revocations', '/dev/mailbox', '/dev/mailbox.json']) await everybody.get(path)
  const { sub } = await signUp(person, 'walker@example.com')
  const tokens = await signInForTokens(everybody, 'walker@example.com')
  await everybody.post('/api/sign-up', { email: 'walker@example.com', password: PASSWORD })
  await everybody.post('/api/sign-up', { email: 'weak@example.com', password: 'weak' })
  await everybody.post('/api/sign-in', { email: 'walker@example.com', password: NEW_PASSWORD })
  await everybody.post('/api/sign-in', { email: 'walker@example.com', password: PASSWORD }, { origin: 'https://evil.example' })
  await person.get('/sign-in')
  for (const path of ['/sign-up', '/sign-in']) {
    const typed = { email: 'form@example.com', password: PASSWORD }
    await everybody.post(path, new URLSearchParams({ ...typed, email: 'walker@example.com' }))
    await everybody.post(path, new URLSearchParams({ ...typed, password: 'weak' }))
    await everybody.post(path, new URLSearchParams(typed), { origin: 'https://evil.example' })
    await everybody.post(path, 'no form')
    await everybody.post(path, new URLSearchParams(typed))
  }
  await everybody.post('/sign-out', new URLSearchParams(), own)
  for (const path of ['/api/session', '/api/sessions', '/api/demo/session']) await person.get(path)
  for (const path of ['/api/session', '/api/sessions']) {
    await everybody.get(path, bearer(tokens.access_token))
    await everybody.get(path, bearer('x'))
    await person.get(path, bearer(tokens.access_token))
  }
  await person.post('/api/token', {}, own)
  await person.post('/api/token', { audience: 'https://evil.example' }, own)
  await person.post('/api/token', {})
  await everybody.post('/api/refresh', { refresh_token: tokens.refresh_token })
  for (const freshness of FRESHNESSES) {
    await demo(everybody, freshness, tokens.access_token)
    await demo(everybody, freshness, 'x')
    await demo(everybody, freshness, 'x y')
  }
  const change = { current_password: PASSWORD, new_password: NEW_PASSWORD }
  for (const body of [{ ...change, current_password: 'x' }, { ...change, new_password: 'weak' }, change])
    await person.post('/api/password', body, own)
  const shop = { redirect_uris: ['https://shop.example.com/callback'] }
  const { client_id, registration_access_token } = (await everybody.post<Record<string, string>>('/oauth/register', shop)).json
  const manager = bearer(registration_access_token ?? '')
  await everybody.get(`/oauth/register/${client_id}`, manager)
  await everybody.put(`/oauth/register/${client_id}`, { ...shop, client_id }, manager)
  await everybody.put(`/oauth/register/${client_id}`, shop, manager)
  await everybody.post(`/oauth/register/${client_id}/secret`, undefined, manager)
  await everybody.delete(`/oauth/register/${client_id}`, manager)
  await everybody.get('/admin/api/keys', operator)
  await everybody.post('/admin/api/revocations/renew', undefined, operator)
  await everybody.get('/admin/api/accounts?email=walker@example.com', operator)
  await everybody.get('/admin/api/accounts?email=x', operator)
  await everybody.put(`/admin/api/accounts/${sub}/roles`, { roles: ['editor'] }, operator)
  for (const act of ['ban', 'unban']) await everybody.post(`/admin/api/accounts/${sub}/${act}`, undefined, operator)
  await everybody.delete(`/admin/api/accounts/${sub}/sessions`, operator)
  const { sid } = await signIn(person, 'walker@example.com', NEW_PASSWORD)
  for (const path of ['/api/sessions/x', `/api/sessions/${sid}`]) await person.delete(path, own)
  await signIn(person, 'walker@example.com', NEW_PASSWORD)
  await person.delete('/api/sessions', own)
  await signIn(person, 'walker@example.com', NEW_PASSWORD)
  await walkAsApp(everybody, person)
  await person.post('/api/sign-out', {}, own)
  await person.post('/api/sign-out', {}, own)
}

const pathOf = (route: string) => route.slice(route.indexOf(' ') + 1).replace(/\{\w+\}/g, 'AAAAAAAAAAAAAAAAAAAAAA')

/** The operation that a recorded request is of. */
function routeOf({ what }: Recorded): string {
  const bare = what.split('?')[0] ?? ''
  const pattern = (route: string) => new RegExp(`^${route.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`)
  return ROUTES.includes(bare) ? bare : (ROUTES.find((route) => pattern(route).test(bare)) ?? `unknown: ${what}`)
}

describe('the OpenAPI description', () => {
  test('lists exactly the routes that exist', () => {
    expect([...operations.keys()].sort()).toEqual([...ROUTES].sort())
    expect([document.openapi, document.servers]).toEqual(['3.1.0', [{ url: server.origin }]])
  })

  test('says of each operation what it is for, who may call it, its parameters and every answer', () => {
    for (const [route, { summary, security, parameters = [], requestBody, responses }] of operations) {
      expect([route, summary.length > 10]).toEqual([route, true])
      const schemes = security.flatMap((one) => Object.keys(one))
      expect([route, schemes.filter((name) => !(name in document.components.securitySchemes))]).toEqual([route, []])
      const named = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      expect([route, parameters.filter((one) => one.in === 'path').map(({ name }) => name)]).toEqual([route, named])
      expect([route, Boolean(requestBody) && /^(GET|DELETE) /.test(route)]).toEqual([route, false])
      expect([route, Object.keys(responses).some((status) => /^[23]/.test(status))]).toEqual([route, true])
      expect([route, Object.values(responses).filter(({ description }) => !description)]).toEqual([route, []])
    }
  })

  test('knows every status that a walk through all routes meets, and every answer states its headers', async () => {
    const replies: Recorded[] = []
    const person = createClient(server.origin)
    await walk(recording(client, replies), recording(person, replies))
    person.close()
    expect(replies.flatMap(faultsOf)).toEqual([])
    const successes = new Set(replies.filter(({ reply }) => reply.status < 400).map(routeOf))
    const keysAreElsewhere = ROUTES.filter((route) => /keys\/.*(rotate|revoke)/.test(route))
    expect(ROUTES.filter((route) => !successes.has(route))).toEqual(keysAreElsewhere)
    const undocumented = replies
      .map((one) => ({ route: routeOf(one), status: String(one.reply.status) }))
      .filter(({ route, status }) => !(status in (operations.get(route)?.responses ?? {})))
    expect([...new Set(undocumented.map(({ route, status }) => `${route} ${status}`))].sort()).toEqual([])
  })
})
