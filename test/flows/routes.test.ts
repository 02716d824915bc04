import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, createClient } from '../support/node/http.ts'
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
  'GET /.well-known/jwks.json',
  'GET /revocations',
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
  'GET /admin/api/keys',
  'POST /admin/api/keys/rotate',
  'POST /admin/api/keys/{kid}/revoke',
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

const NEW_PASSWORD = 'silent-marten-52-harbour'

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
  await everybody.get('/admin/api/keys', operator)
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
