import { once } from 'node:events'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PROBLEMS } from '../../src/http/problem.ts'
import { launchChromium } from '../support/node/chromium.ts'
import { createClient as createHttpClient } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import {
  changesOf,
  claimsOf,
  clientModule,
  countRequests,
  openTab,
  refusalOf,
  servePage,
  signUp,
  statusOf,
  TEST_PAGE,
  tokenOf,
} from './pages.ts'

const API = 'https://api.example.com'

let server: Server
let pages: HttpServer
let app: string
let browser: Browser
let context: BrowserContext
let tab: Page
beforeAll(async () => {
  pages = createServer(async (request, response) => {
    const isModule = request.url === '/test/client.js'
    response.setHeader('content-type', isModule ? 'text/javascript' : 'text/html')
    response.end(isModule ? await clientModule() : TEST_PAGE)
  }).listen(0, 'localhost')
  await once(pages, 'listening')
  app = `http://localhost:${(pages.address() as AddressInfo).port}`
  ;[server, browser] = await Promise.all([
    startServer({ vars: { AUDIENCES: `${API},urn:notes`, SCOPES: 'notes:read', ALLOWED_ORIGINS: app } }),
    launchChromium(),
  ])
})
afterAll(async () => {
  pages.close()
  await browser.close()
  await server.stop()
})
beforeEach(async () => {
  context = await browser.newContext()
  await servePage(context, server.origin)
  tab = await openTab(context, server.origin)
})
afterEach(() => context.close())

const unauthorized = (description: string, headers: Record<string, string> = {}) => ({
  status: 401,
  headers: { 'www-authenticate': `Bearer error="invalid_token", error_description="${description}"`, ...headers },
})

describe('a session', () => {
  test('begins with a sign-up, is answered while it lasts, and is null after a sign-out', async () => {
    expect(await tab.evaluate(() => globalThis.client.getSession())).toBeNull()
    const { email, sub, sid } = await signUp(tab)
    expect(await tab.evaluate(() => globalThis.client.getSession())).toMatchObject({ sub, sid, email, roles: [] })
    await tab.evaluate(() => globalThis.client.signOut())
    expect(await tab.evaluate(() => globalThis.client.getSession())).toBeNull()
    expect(await changesOf(tab)).toEqual(['signed-in', 'signed-out'])
  })

  test('begins again with a sign-in', async () => {
    const { email, password, sub, sid } = await signUp(tab)
    await tab.evaluate(() => globalThis.client.signOut())
    const session = await tab.evaluate((credentials) => globalThis.client.signIn(credentials), { email, password })
    expect(session.sub).toBe(sub)
    expect(session.sid).not.toBe(sid)
  })

  test('that ended elsewhere is noticed, and told to the page once', async () => {
    const { email, password } = await signUp(tab)
    await tokenOf(tab)
    const phone = createHttpClient(server.origin)
    const { access_token } = (await phone.post('/api/sign-in', { email, password, use: 'tokens' })).json
    expect((await phone.delete('/api/sessions', { authorization: `Bearer ${access_token}` })).status).toBe(204)
    phone.close()
    expect(await refusalOf(tab, (client) => client.getAccessToken({ forceRefresh: true }))).toBe('no_session')
    expect(await tab.evaluate(() => globalThis.client.getSession())).toBeNull()
    expect(await changesOf(tab)).toEqual(['signed-in', 'signed-out'])
    await tab.evaluate((credentials) => globalThis.client.signIn(credentials), { email, password })
    expect(await changesOf(tab)).toEqual(['signed-in', 'signed-out', 'signed-in'])
  })

  test('can be signed out of twice', async () => {
    await signUp(tab)
    await tab.evaluate(() => globalThis.client.signOut())
    expect(await refusalOf(tab, (client) => client.signOut())).toBeUndefined()
  })

  test('is not reported to a listener that has stopped', async () => {
    const heard = await tab.evaluate(async () => {
      const heard: string[] = []
      const stop = globalThis.client.onChange((change) => heard.push(change))
      stop()
      await globalThis.client.signUp({ email: `x${Date.now()}@example.com`, password: 'violet-otter-41-lantern' })
      return heard
    })
    expect(heard).toEqual([])
    expect(await changesOf(tab)).toEqual(['signed-in'])
  })
})

describe('a token', () => {
  test('is kept nowhere that outlives the page or that another script could look up', async () => {
    await signUp(tab)
    await tokenOf(tab)
    const kept = await tab.evaluate(async () => ({
      local: localStorage.length,
      session: sessionStorage.length,
      databases: await indexedDB.databases(),
      caches: await caches.keys(),
      cookie: document.cookie,
    }))
    expect(kept).toEqual({ local: 0, session: 0, databases: [], caches: [], cookie: '' })
    const cookies = await context.cookies()
    expect(cookies.map(({ name, httpOnly }) => [name, httpOnly]).sort()).toEqual([
      ['__Host-device', true],
      ['__Host-session', true],
    ])
  })

  test('is for the audience and scope that were chosen, each client its own', async () => {
    const other = await openTab(context, server.origin, { audience: API, scope: 'notes:read' })
    await signUp(tab)
    expect(claimsOf(await tokenOf(tab))).toMatchObject({ aud: server.origin, scope: 'account' })
    expect(claimsOf(await tokenOf(other))).toMatchObject({ aud: API, scope: 'notes:read' })
    await tab.evaluate(() => globalThis.client.signOut())
    await expect.poll(() => changesOf(other)).toEqual(['signed-in', 'signed-out'])
    expect(await refusalOf(other, (client) => client.getAccessToken())).toBe('no_session')
  })

  test('is refused for an audience that is not listed', async () => {
    const other = await openTab(context, server.origin, { audience: 'https://evil.example.com' })
    await signUp(other)
    expect(await refusalOf(other, (client) => client.getAccessToken())).toBe('invalid_target')
  })
})

describe("the client's fetch", () => {
  test('carries the token, and neither cookies nor a body twice consumed', async () => {
    await signUp(tab)
    let seen: { authorization: string | undefined; cookie: string | undefined; bodies: (string | null)[] } | undefined
    await context.route('**/notes', async (route) => {
      const headers = await route.request().allHeaders()
      seen = { authorization: headers.authorization, cookie: headers.cookie, bodies: [...(seen?.bodies ?? []), route.request().postData()] }
      await route.fulfill(seen.bodies.length === 1 ? unauthorized('outdated') : { status: 201 })
    })
    const old = await tokenOf(tab)
    const status = await tab.evaluate(async () => (await globalThis.client.fetch('/notes', { method: 'POST', body: 'a note' })).status)
    expect(status).toBe(201)
    expect(seen?.bodies).toEqual(['a note', 'a note'])
    expect(seen?.authorization).toBe(`Bearer ${await tokenOf(tab)}`)
    expect(await tokenOf(tab)).not.toBe(old)
    expect(seen?.cookie).toBeUndefined()
  })

  test.each(['outdated', 'expired'])('repeats once what is refused as %s, and lets the second answer stand', async (description) => {
    await signUp(tab)
    await context.route('**/notes', (route) => route.fulfill(unauthorized(description)))
    const [asked, made] = [countRequests(context, 'GET', '/notes'), countRequests(context, 'POST', '/api/token')]
    expect(await statusOf(tab, '/notes')).toBe(401)
    expect([asked(), made()]).toEqual([2, 2])
  })

  test('does not repeat what is refused as revoked, and gives that token out no more', async () => {
    await signUp(tab)
    const old = await tokenOf(tab)
    await context.route('**/notes', (route) => route.fulfill(unauthorized('revoked')))
    const asked = countRequests(context, 'GET', '/notes')
    expect(await statusOf(tab, '/notes')).toBe(401)
    expect(asked()).toBe(1)
    expect(await tokenOf(tab)).not.toBe(old)
  })

  test('leaves the refusal to the caller when there is no session to renew from', async () => {
    await signUp(tab)
    await tokenOf(tab)
    await context.clearCookies({ name: '__Host-session' })
    await context.route('**/notes', (route) => route.fulfill(unauthorized('outdated')))
    expect(await statusOf(tab, '/notes')).toBe(401)
    expect(await changesOf(tab)).toEqual(['signed-in', 'signed-out'])
  })

  test('understands an API that hides its challenge from other origins', async () => {
    const other = await openTab(context, server.origin, { audience: API })
    await signUp(other)
    const headers = { 'access-control-allow-origin': server.origin, 'access-control-allow-headers': 'authorization' }
    let asked = 0
    await context.route(`${API}/**`, (route) => {
      if (route.request().method() === 'OPTIONS') return route.fulfill({ status: 204, headers })
      asked += 1
      return asked === 1
        ? route.fulfill({ ...unauthorized('outdated', headers), body: '{"code":"token_outdated"}' })
        : route.fulfill({ status: 200, headers })
    })
    expect(await statusOf(other, `${API}/notes`)).toBe(200)
    expect(asked).toBe(2)
  })

  test('takes the token to no origin but its audience, not even by a redirect', async () => {
    await signUp(tab)
    let visits = 0
    await context.route('http://127.0.0.1:1/**', (route) => {
      visits += 1
      return route.fulfill({ status: 200, headers: { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' } })
    })
    expect(await refusalOf(tab, (client) => client.fetch('http://127.0.0.1:1/notes'))).toBe('origin_not_allowed')
    await context.route('**/moved', (route) => route.fulfill({ status: 307, headers: { location: 'http://127.0.0.1:1/notes' } }))
    expect(await tab.evaluate(() => globalThis.client.fetch('/moved').catch((error: Error) => error.name))).toBe('TypeError')
    expect(visits).toBe(0)
  })
})

describe('a refusal', () => {
  test('has the code, the detail and the status of the problem', async () => {
    const { email } = await signUp(tab)
    const refused = await tab.evaluate(async (email) => {
      const error: unknown = await globalThis.client.signIn({ email, password: 'wrong' }).catch((error: unknown) => error)
      return { ...(error as object), isError: error instanceof Error }
    }, email)
    expect(refused).toEqual({
      name: 'ClientError',
      code: 'invalid_credentials',
      detail: PROBLEMS.invalid_credentials[1],
      status: 401,
      errors: [],
      isError: true,
    })
    expect(await refusalOf(tab, (client) => client.signUp({ email: 'x@example.com', password: 'short' }))).toBe('password_too_short')
    expect(await refusalOf(tab, (client) => client.signUp({ email: 'none', password: 'violet-otter-41' }))).toBe('invalid_request')
  })

  test('says how long to wait', async () => {
    const { email } = await signUp(tab)
    await context.clearCookies()
    const waits = await tab.evaluate(async (email) => {
      const waits: unknown[] = []
      for (let tries = 0; tries < 11; tries++) {
        await globalThis.client.signIn({ email, password: 'wrong' }).catch((error) => waits.push(error.retryAfter))
      }
      return waits
    }, email)
    expect(waits[0]).toBeUndefined()
    expect(waits.at(-1)).toBeGreaterThanOrEqual(1)
  })

  test('names an unreachable service and an answer that is not of the service, and signs nobody out', async () => {
    await signUp(tab)
    await context.route('**/api/token', (route) => route.abort())
    expect(await refusalOf(tab, (client) => client.getAccessToken())).toBe('network_error')
    await context.unroute('**/api/token')
    await context.route('**/api/token', (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad gateway</h1>' }))
    expect(await refusalOf(tab, (client) => client.getAccessToken())).toBe('unexpected_response')
    await context.unroute('**/api/token')
    expect(claimsOf(await tokenOf(tab)).scope).toBe('account')
    expect(await changesOf(tab)).toEqual(['signed-in'])
  })
})

describe('an option', () => {
  const attempt = (options: object) =>
    tab.evaluate((options) => {
      try {
        globalThis.makeClient(options).close()
        return 'made'
      } catch (error) {
        return `${error}`
      }
    }, options)

  test.each([
    [{ baseUrl: 'https://auth.example.com/' }, 'TypeError: baseUrl'],
    [{ baseUrl: '/auth' }, 'TypeError: baseUrl'],
    [{ audience: 'urn:notes' }, 'TypeError: allowedOrigins'],
    [{ allowedOrigins: ['https://api.example.com/v1'] }, 'TypeError: allowedOrigins'],
    [{ audience: 'urn:notes', allowedOrigins: ['https://api.example.com'] }, 'made'],
    [{ baseUrl: 'https://auth.example.com' }, 'made'],
  ])('%j: %s', async (options, outcome) => expect(await attempt(options)).toContain(outcome))
})

test('an app on another origin of the site works where ALLOWED_ORIGINS names it', async () => {
  const other = await openTab(context, app, { baseUrl: server.origin })
  const { sub } = await signUp(other)
  expect(await other.evaluate(() => globalThis.client.getSession())).toMatchObject({ sub })
  expect(await statusOf(other, `${server.origin}/api/demo/fresh`)).toBe(200)
  await other.evaluate(() => globalThis.client.signOut())
  expect(await other.evaluate(() => globalThis.client.getSession())).toBeNull()
})

test('an app on an origin that ALLOWED_ORIGINS does not name gets nothing', async () => {
  const stranger = await openTab(context, app.replace('localhost', '127.0.0.1'), { baseUrl: server.origin })
  expect(await refusalOf(stranger, (client) => client.getSession())).toBe('network_error')
})

test('the module is at most 9 kB minified, and asks for nothing of any package', async () => {
  const module = await clientModule()
  expect(module.length).toBeLessThanOrEqual(9_000)
  expect(module).not.toMatch(/\bimport\s*[({"']/)
})
