import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/node/chromium.ts'
import { createClient as createHttpClient } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { changesOf, claimsOf, countRequests, openTab, refusalOf, servePage, signUp, statusOf, tokenOf } from './pages.ts'

let server: Server
let browser: Browser
let context: BrowserContext
beforeAll(async () => {
  ;[server, browser] = await Promise.all([startServer(), launchChromium()])
})
afterAll(async () => {
  await browser.close()
  await server.stop()
})
beforeEach(async () => {
  context = await browser.newContext()
  await servePage(context, server.origin)
})
afterEach(() => context.close())

const open = () => openTab(context, server.origin)
const openFive = () => Promise.all(Array.from({ length: 5 }, open))
const fromAll = <T>(tabs: Page[], call: (tab: Page) => Promise<T>) => Promise.all(tabs.map(call))
const only = <T>(values: T[]): T[] => [...new Set(values)]

/** Raises the account's `ver`: every token of before is outdated. */
async function setRoles(sub: string): Promise<void> {
  const operator = createHttpClient(server.origin)
  const headers = { authorization: `Bearer ${server.vars.ADMIN_TOKEN}` }
  const reply = await operator.put(`/admin/api/accounts/${sub}/roles`, { roles: [`role-${Date.now()}`] }, headers)
  expect(reply.status).toBe(204)
  operator.close()
}

describe('five tabs', () => {
  test('that need a token at the same moment make one request, and hold the same token', async () => {
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    const requests = countRequests(context, 'POST', '/api/token')
    const tokens = await fromAll(tabs, (tab) => tokenOf(tab))
    expect(only(tokens)).toHaveLength(1)
    expect(requests()).toBe(1)
  })

  test('that force a renewal at the same moment make one request', async () => {
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    const [old] = await fromAll(tabs, (tab) => tokenOf(tab))
    const requests = countRequests(context, 'POST', '/api/token')
    const tokens = await fromAll(tabs, (tab) => tokenOf(tab, true))
    expect(only(tokens)).toHaveLength(1)
    expect(tokens).not.toContain(old)
    expect(requests()).toBe(1)
  })

  test('whose token is outdated renew it once, and every one of their calls succeeds', async () => {
    const tabs = await openFive()
    const { sub } = await signUp(tabs[0] as Page)
    expect(only(await fromAll(tabs, (tab) => statusOf(tab, '/api/demo/live')))).toEqual([200])
    const [made, asked] = [countRequests(context, 'POST', '/api/token'), countRequests(context, 'GET', '/api/demo/live')]
    await setRoles(sub)
    expect(only(await fromAll(tabs, (tab) => statusOf(tab, '/api/demo/live')))).toEqual([200])
    expect(made()).toBe(1)
    expect(asked()).toBe(10)
  })

  test('renew a token shortly before its end, while the old one is still used', async () => {
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    const [old] = await fromAll(tabs, (tab) => tokenOf(tab))
    const requests = countRequests(context, 'POST', '/api/token')
    const later = Date.now() + 250_000
    await fromAll(tabs, (tab) => tab.clock.setFixedTime(later))
    expect(only(await fromAll(tabs, (tab) => tokenOf(tab)))).toEqual([old])
    await expect.poll(async () => only(await fromAll(tabs, (tab) => tokenOf(tab)))).not.toContain(old)
    expect(requests()).toBe(1)
  })

  test('wait for a new token when the old one is as good as over', async () => {
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    const [old] = await fromAll(tabs, (tab) => tokenOf(tab))
    const requests = countRequests(context, 'POST', '/api/token')
    const later = Date.now() + 290_000
    await fromAll(tabs, (tab) => tab.clock.setFixedTime(later))
    const tokens = await fromAll(tabs, (tab) => tokenOf(tab))
    expect(tokens).not.toContain(old)
    expect(requests()).toBe(1)
  })

  test('each get a token where the browser has no Web Locks', async () => {
    await context.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }))
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    for (const token of await fromAll(tabs, (tab) => tokenOf(tab))) expect(token.split('.')).toHaveLength(3)
  })

  test('each get a token where the browser lets no tab speak to another', async () => {
    await context.addInitScript(() => Reflect.deleteProperty(globalThis, 'BroadcastChannel'))
    const tabs = await openFive()
    await signUp(tabs[0] as Page)
    expect(only((await fromAll(tabs, (tab) => tokenOf(tab))).map((token) => claimsOf(token).sid))).toHaveLength(1)
  })
})

describe('a tab', () => {
  test('opened later takes over the token of another, without a request', async () => {
    const first = await open()
    await signUp(first)
    const token = await tokenOf(first)
    const requests = countRequests(context, 'POST', '/api/token')
    expect(await tokenOf(await open())).toBe(token)
    expect(requests()).toBe(0)
  })

  test('that has been closed is not waited for', async () => {
    const [first, second] = await Promise.all([open(), open()])
    await signUp(first)
    await second.evaluate(() => globalThis.client.getSession())
    await second.close()
    const begun = Date.now()
    await tokenOf(first)
    expect(Date.now() - begun).toBeLessThan(450)
  })

  test('that hangs while it holds the lock stops the others for seconds only', async () => {
    const [hanging, other] = await Promise.all([open(), open()])
    await signUp(other)
    await hanging.evaluate((origin) => {
      void navigator.locks.request(`sallyport:1:${origin} [null,null]`, () => new Promise(() => {}))
    }, server.origin)
    expect((await tokenOf(other)).split('.')).toHaveLength(3)
  })

  test('that comes back from the back/forward cache forgets what it held', async () => {
    const tab = await open()
    await signUp(tab)
    const old = await tokenOf(tab)
    await tab.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
    expect(await tokenOf(tab)).not.toBe(old)
  })

  test('whose client is closed speaks to no other, and still gets tokens', async () => {
    const tab = await open()
    await signUp(tab)
    await tab.evaluate(() => globalThis.client.close())
    expect(claimsOf(await tokenOf(tab)).scope).toBe('account')
  })
})

describe('a sign-out in one tab', () => {
  test('is told to all, and leaves none with a token', async () => {
    const tabs = await openFive()
    const [first] = tabs as [Page]
    await signUp(first)
    await fromAll(tabs, (tab) => tokenOf(tab))
    await first.evaluate(() => globalThis.client.signOut())
    for (const tab of tabs) {
      await expect.poll(() => changesOf(tab)).toEqual(['signed-in', 'signed-out'])
      expect(await refusalOf(tab, (client) => client.getAccessToken())).toBe('no_session')
    }
  })

  test('voids a token that another tab is just being given', async () => {
    const [first, second] = await Promise.all([open(), open()])
    await signUp(first)
    const held = Promise.withResolvers<void>()
    let answers = 0
    await context.route('**/api/token', async (route) => {
      const response = await route.fetch()
      if (answers++ === 0) await held.promise
      await route.fulfill({ response })
    })
    const refusal = refusalOf(second, (client) => client.getAccessToken())
    await expect.poll(() => answers).toBe(1)
    await first.evaluate(() => globalThis.client.signOut())
    await expect.poll(() => changesOf(second)).toContain('signed-out')
    held.resolve()
    expect(await refusal).toBe('no_session')
  })
})

describe('a sign-in in one tab', () => {
  test('as someone else gives every tab the tokens of that account, and signs nobody out', async () => {
    const tabs = await openFive()
    const [first, second] = tabs as [Page, Page]
    const ada = await signUp(first)
    await fromAll(tabs, (tab) => tokenOf(tab))
    const bob = await signUp(second)
    expect(bob.sub).not.toBe(ada.sub)
    for (const tab of tabs) await expect.poll(() => changesOf(tab)).toEqual(['signed-in', 'signed-in'])
    const tokens = await fromAll(tabs, (tab) => tokenOf(tab))
    expect(only(tokens.map((token) => claimsOf(token).sub))).toEqual([bob.sub])
  })

  test('voids the answer that another tab gets for the cookie of before, be it a token or a refusal', async () => {
    const [first, second] = await Promise.all([open(), open()])
    const ada = await signUp(first)
    await tokenOf(second)
    const held = Promise.withResolvers<void>()
    let asked = 0
    // The question leaves with Ada's cookie, and is answered when her session has been replaced.
    await context.route('**/api/token', async (route) => {
      const late = asked++ === 0
      if (late) await held.promise
      if (late) await route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"code":"no_session"}' })
      else await route.continue()
    })
    const token = tokenOf(second, true)
    await expect.poll(() => asked).toBe(1)
    const bob = await signUp(first)
    held.resolve()
    expect(claimsOf(await token).sub).toBe(bob.sub)
    expect(bob.sub).not.toBe(ada.sub)
    expect(await changesOf(second)).not.toContain('signed-out')
  })

  test('without the client signs no tab out that asks at that moment', async () => {
    const [first, second] = await Promise.all([open(), open()])
    await signUp(first)
    await tokenOf(second)
    let asked = 0
    await context.route('**/api/token', (route) =>
      asked++ === 0
        ? route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"code":"no_session"}' })
        : route.continue(),
    )
    expect(claimsOf(await tokenOf(second, true)).scope).toBe('account')
    expect(asked).toBe(2)
    expect(await changesOf(second)).not.toContain('signed-out')
  })

  test('without the client is noticed when the session is asked for', async () => {
    const [first, second] = await Promise.all([open(), open()])
    await signUp(first)
    const old = await tokenOf(second)
    const bob = { email: `bob-${Date.now()}@example.com`, password: 'violet-otter-41-lantern' }
    const body = JSON.stringify(bob)
    await first.evaluate((body) => fetch('/api/sign-up', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }), body)
    const session = await second.evaluate(() => globalThis.client.getSession())
    expect(session?.email).toBe(bob.email)
    await expect.poll(async () => claimsOf(await tokenOf(first)).sub).toBe(session?.sub)
    expect(claimsOf(await tokenOf(second)).sub).toBe(session?.sub)
    expect(claimsOf(old).sub).not.toBe(session?.sub)
  })
})
