import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import path from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/node/chromium.ts'
import { type Client, createClient } from '../support/node/http.ts'
import { installedProject, type Project } from '../support/node/package.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { programsOf } from './blocks.ts'

const API = 'https://api.example.com'
const SERVICES = ['fetch-handler.ts', 'express.ts', 'fastify.ts', 'pushed.ts', 'introspected.ts', 'dpop.ts']

const SECRET = 'the-secret-of-the-notes-api-in-this-test'
const CLIENTS_TOML = `[[client]]
client_id = "notes-api"
grant_types = ["client_credentials"]
client_secret_sha256 = ["${createHash('sha256').update(SECRET).digest('base64url')}"]
serves = ["${API}"]
`

type BrowserApp = {
  signIn(email: string, password: string): Promise<string>
  notes(): Promise<{ authorization: string }>
  signOut(): Promise<void>
  stop(): void
}
declare global {
  var app: BrowserApp
}

let project: Project
let server: Server
let client: Client
let token: string
beforeAll(async () => {
  ;[project, server] = await Promise.all([
    installedProject(),
    startServer({ vars: { AUDIENCES: API, SCOPES: 'notes:read', CLIENTS_TOML } }),
  ])
  client = createClient(server.origin)
  const account = { email: 'ada@example.com', password: 'violet-otter-41-lantern', use: 'tokens', audience: API, scope: 'notes:read' }
  token = (await client.post<{ access_token: string }>('/api/sign-up', account)).json.access_token
  const programs = Object.entries(await programsOf('docs/sdk.md'))
  const here = programs.map(([name, code]) => [name, code.replaceAll('https://auth.example.com', server.origin)])
  await project.link('hono', '@types/node', 'undici-types')
  await project.write(Object.fromEntries(here))
})
afterAll(async () => {
  client.close()
  await server.stop()
  await rm(project.directory, { recursive: true, force: true })
})

/** A program of the document with what it imports, as one module. */
async function bundle(name: string): Promise<string> {
  const outfile = path.join(project.directory, name.replace(/\.ts$/, '.out.mjs'))
  const entryPoints = [path.join(project.directory, name)]
  await build({ entryPoints, outfile, bundle: true, format: 'esm', platform: 'neutral', mainFields: ['module', 'main'], logLevel: 'error' })
  return outfile
}

/** The same, loaded into this process. */
const load = async <T>(name: string): Promise<T> => await import(/* @vite-ignore */ await bundle(name))

const request = (bearer: string | undefined) =>
  new Request(`${API}/notes/mine`, { headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` } })

describe('docs/sdk.md', () => {
  test('has the programs that are run here, and no others', async () => {
    expect(Object.keys(await programsOf('docs/sdk.md'))).toEqual([...SERVICES, 'hono-worker.ts', 'browser-app.ts'])
  })

  test('type-checks against the package, in the strictest way', async () => {
    expect(await project.compile({ types: ['node'] }, ['*.ts'])).toBe('')
  })

  test('describes types that need nothing of Node or a page where tokens are verified', async () => {
    await project.write({ 'types-only.ts': "export type * from 'sallyport/sdk'\nexport type * from 'sallyport/websocket'\n" })
    expect(await project.compile({ lib: ['es2024', 'webworker'], skipLibCheck: false }, ['types-only.ts'])).toBe('')
  })

  test('a fetch handler', async () => {
    const { handle } = await load<{ handle: (request: Request) => Promise<Response> }>('fetch-handler.ts')
    expect(await (await handle(request(token))).json()).toMatchObject({ scope: 'notes:read' })
    expect((await handle(request(undefined))).status).toBe(401)
    expect((await handle(request(`${token}x`))).headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  })

  test('a middleware of Express, Connect and node:http', async () => {
    type Incoming = IncomingMessage & { auth?: { claims: { sub: string } } }
    const { authenticate } = await load<{ authenticate: (q: Incoming, r: ServerResponse, next: () => void) => Promise<unknown> }>(
      'express.ts',
    )
    const service = createServer((incoming: Incoming, response) =>
      authenticate(incoming, response, () => response.end(incoming.auth?.claims.sub)),
    ).listen(0, 'localhost')
    await once(service, 'listening')
    const address = service.address()
    const url = `http://localhost:${typeof address === 'object' ? address?.port : ''}/`
    const accepted = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    expect(await accepted.text()).toMatch(/^[\w-]{22}$/)
    const refused = await fetch(url)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await refused.json()).toMatchObject({ code: 'token_missing' })
    service.close()
  })

  test('a hook of Fastify', async () => {
    const { authenticate } = await load<{ authenticate: (q: object, r: object) => Promise<unknown> }>('fastify.ts')
    const incoming = { url: '/', headers: { authorization: `Bearer ${token}` } }
    await authenticate(incoming, {})
    expect(incoming).toMatchObject({ auth: { claims: { scope: 'notes:read' } } })
    const sent: unknown[] = []
    const note = (value: unknown) => {
      sent.push(value)
      return reply
    }
    const reply = { code: note, headers: note, send: note }
    await authenticate({ url: '/', headers: {} }, reply)
    expect(sent[0]).toBe(401)
    expect(sent[1]).toMatchObject({ 'www-authenticate': 'Bearer' })
  })

  test('a process to which the list is pushed', async () => {
    type Verifier = { verifyToken(token: string): Promise<{ claims: { sub: string } }>; close(): void }
    const { verifier } = await load<{ verifier: Verifier }>('pushed.ts')
    expect((await verifier.verifyToken(token)).claims.sub).toMatch(/^[\w-]{22}$/)
    verifier.close()
  })

  test('a service without a binding that asks for live, and hears of a sign-out on the next request', async () => {
    process.env.NOTES_API_SECRET = SECRET
    const { handle } = await load<{ handle: (request: Request) => Promise<Response> }>('introspected.ts')
    const account = { email: 'bob@example.com', password: 'violet-otter-41-lantern', use: 'tokens', audience: API }
    const { access_token, refresh_token } = (await client.post<Record<string, string>>('/api/sign-up', account)).json
    const ask = (method: string) => handle(new Request(`${API}/notes`, { method, headers: { authorization: `Bearer ${access_token}` } }))
    expect([(await ask('GET')).status, (await ask('DELETE')).status]).toEqual([200, 200])
    await client.post('/api/sign-out', { refresh_token })
    expect(await (await ask('DELETE')).json()).toMatchObject({ code: 'token_revoked' })
  })

  test('a fetch handler for bound tokens, which takes no others', async () => {
    const { handle } = await load<{ handle: (request: Request) => Promise<Response> }>('dpop.ts')
    const challengeOf = async (authorization: string) => {
      const response = await handle(new Request(`${API}/notes/mine`, { headers: { authorization } }))
      return [response.status, response.headers.get('www-authenticate')]
    }
    const algs = 'algs="ES256 EdDSA Ed25519 PS256"'
    expect(await challengeOf(`Bearer ${token}`)).toEqual([401, `DPoP ${algs}`])
    expect(await challengeOf(`DPoP ${token}`)).toEqual([401, `DPoP error="invalid_dpop_proof", ${algs}`])
  })

  test('a Worker with Hono and a service binding', async () => {
    type App = { request(request: Request, init: object, env: object): Promise<Response> }
    const { default: app } = await load<{ default: App }>('hono-worker.ts')
    const bytes = async (path: string) => new Uint8Array(await (await fetch(server.url(path))).arrayBuffer())
    // What the entrypoint answers, by HTTP; the entrypoint itself is bound in examples/notes-api.
    const SALLYPORT = {
      jwks: async () => await (await fetch(server.url('/.well-known/jwks.json'))).json(),
      revocations: (after: string | null) => bytes(`/revocations${after === null ? '' : `?after=${after}`}`),
      check: async () => ({ active: true }),
    }
    const ask = (path: string, method = 'GET') =>
      app.request(new Request(`${API}${path}`, { method, headers: { authorization: `Bearer ${token}` } }), {}, { SALLYPORT })
    expect((await ask('/notes/mine')).status).toBe(200)
    expect(await (await ask('/notes/all')).json()).toMatchObject({ code: 'insufficient_role' })
    expect((await ask('/account/notes', 'DELETE')).status).toBe(204)
  })

  test('an app in a browser', async () => {
    const module = await bundle('browser-app.ts')
    const browser = await launchChromium()
    const context = await browser.newContext()
    const headers = { 'access-control-allow-origin': server.origin, 'access-control-allow-headers': 'authorization' }
    await context.route(`${API}/**`, async (route) => {
      await route.fulfill({ headers, json: { authorization: await route.request().headerValue('authorization') } })
    })
    const html = '<!doctype html><script type="module">globalThis.app = await import("/test/app.js")</script>'
    await context.route('**/test/page', (route) => route.fulfill({ contentType: 'text/html', body: html }))
    await context.route('**/test/app.js', (route) => route.fulfill({ contentType: 'text/javascript', path: module }))
    const page = await context.newPage()
    await page.goto(server.url('/test/page'))
    await page.waitForFunction('globalThis.app')
    const shown = await page.evaluate(async () => {
      const { app } = globalThis
      const wrong = await app.signIn('ada@example.com', 'wrong-otter-41-lantern')
      const right = await app.signIn('ada@example.com', 'violet-otter-41-lantern')
      const { authorization } = await app.notes()
      await app.signOut()
      app.stop()
      return { wrong, right, authorization }
    })
    await browser.close()
    expect(shown.wrong).toBe('The address or the password is wrong.')
    expect(shown.right).toBe('Welcome, ada@example.com.')
    expect(shown.authorization).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/)
  })
})
