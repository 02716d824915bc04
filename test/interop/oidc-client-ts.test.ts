// oidc-client-ts (https://github.com/authts/oidc-client-ts) in Chromium, in a page of another site: redirects, CORS and cookies are real.
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { build } from 'esbuild'
import type { UserManager, UserManagerSettings } from 'oidc-client-ts'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'
import { launchChromium } from '../support/node/chromium.ts'
import { register } from '../support/node/oauth.ts'
import { app, PASSWORD } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type App, serveApp } from './app-server.ts'

declare global {
  var manager: UserManager
}

/** A page with a button; what the library says stands in its output. The settings are those of the library's own sample, and `more`. */
const pageOf = (settings: object, more: string) => `<!doctype html><title>An app</title><link rel="icon" href="data:,">
<button>Sign in</button><output></output>
<script type="module">
import { IndexedDbDPoPStore, UserManager } from '/oidc-client-ts.js'
const manager = globalThis.manager = new UserManager({ ...${JSON.stringify(settings)}, ${more} })
const output = document.querySelector('output')
document.querySelector('button').onclick = () => manager.signinRedirect({ state: 'where they were' })
try {
  if (window !== window.top) {
    await manager.signinSilentCallback()
  } else if (location.pathname.endsWith('/callback')) {
    const { profile, state } = await manager.signinRedirectCallback()
    output.textContent = 'Hello ' + profile.email + ', back to ' + state
  } else if (location.pathname.endsWith('/bye')) {
    const { userState } = await manager.signoutRedirectCallback()
    output.textContent = 'Bye, ' + userState
  }
} catch (error) {
  output.textContent = 'Failed: ' + error
}
</script>`

/** The apps of the site, each under a path of its own. */
const APPS: Record<string, { scope: string; more: string; metadata: object }> = {
  plain: { scope: 'openid email offline_access', more: 'loadUserInfo: true', metadata: {} },
  bound: {
    scope: 'openid email offline_access',
    more: 'dpop: { bind_authorization_code: true, store: new IndexedDbDPoPStore() }',
    metadata: { dpop_bound_access_tokens: true },
  },
  // Without a refresh token it renews in a frame. Consent is for one address: the frame comes back to the same.
  framed: { scope: 'openid email', more: "silent_redirect_uri: location.origin + '/framed/callback'", metadata: {} },
}

async function makeSite(origin: string) {
  const http = app(server.origin)
  const pages = new Map<string, string>()
  for (const [name, { scope, more, metadata }] of Object.entries(APPS)) {
    const [redirect_uri, post_logout_redirect_uri] = [`${origin}/${name}/callback`, `${origin}/${name}/bye`]
    const about = {
      client_name: 'A page',
      redirect_uris: [redirect_uri],
      post_logout_redirect_uris: [post_logout_redirect_uri],
      ...metadata,
    }
    const { client_id } = await register(http, about)
    const settings: UserManagerSettings = {
      ...{ authority: server.origin, client_id, redirect_uri, post_logout_redirect_uri },
      scope,
    }
    pages.set(name, pageOf(settings, more))
  }
  http.close()
  const entry = path.join(ROOT, 'node_modules/oidc-client-ts/dist/esm/oidc-client-ts.js')
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false })
  const script = outputFiles[0]?.text ?? ''
  return getRequestListener((request: Request) => {
    const [, name = ''] = new URL(request.url).pathname.split('/')
    const [type, body] = name === 'oidc-client-ts.js' ? ['text/javascript', script] : ['text/html', pages.get(name) ?? '']
    return new Response(body, { headers: { 'content-type': type } })
  })
}

let server: Server
let site: App
let neighbour: App
let browser: Browser
let context: BrowserContext
let page: Page
let complaints: string[]
beforeAll(async () => {
  ;[server, browser] = await Promise.all([startServer(), launchChromium()])
  // 127.0.0.1 is another site than localhost: no cookie of the issuer goes along with what the page asks.
  site = await serveApp(makeSite, '127.0.0.1')
  // The same site as the issuer, by another origin.
  neighbour = await serveApp(makeSite)
})
afterAll(async () => {
  await browser.close()
  await site.close()
  await neighbour.close()
  await server.stop()
})
beforeEach(async () => {
  context = await browser.newContext()
  page = await context.newPage()
  complaints = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
})
afterEach(() => context.close())

const says = (text: string) => page.locator('output', { hasText: text }).waitFor()

/** From the app through the issuer's pages and back, as a person who has no account yet. */
async function signUpFrom(name: string, { origin } = site): Promise<string> {
  const email = `p${randomBytes(6).toString('hex')}@example.com`
  await page.goto(`${origin}/${name}`)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('link', { name: 'Sign up' }).click()
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign up' }).click()
  await page.getByRole('button', { name: 'Allow' }).click()
  await says(`Hello ${email}, back to where they were`)
  return email
}

type Held = { access_token: string; refresh_token: string | undefined; token_type: string; email: string | undefined }

const held = (user: 'getUser' | 'signinSilent'): Promise<Held | null> =>
  page.evaluate(async (user) => {
    const held = await globalThis.manager[user]()
    return (
      held && {
        ...{ access_token: held.access_token, refresh_token: held.refresh_token, token_type: held.token_type },
        email: held.profile.email,
      }
    )
  }, user)

describe('oidc-client-ts', () => {
  test('signs up, renews, and signs out, without a word of complaint in the console', async () => {
    const email = await signUpFrom('plain')
    const before = await held('getUser')
    expect(before).toMatchObject({ token_type: 'Bearer', email })
    const renewed = await held('signinSilent')
    expect(renewed).toMatchObject({ token_type: 'Bearer', email })
    expect(renewed?.access_token).not.toBe(before?.access_token)
    expect(renewed?.refresh_token).not.toBe(before?.refresh_token)

    await page.evaluate(() => {
      void globalThis.manager.signoutRedirect({ state: 'see you' })
    })
    await says('Bye, see you')
    await page.goto(`${site.origin}/plain`)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(complaints).toEqual([])
  })

  test('without a refresh token renews in a frame, where the browser lets the cookie of the issuer into it', async () => {
    const email = await signUpFrom('framed', neighbour)
    const before = await held('getUser')
    const renewed = await held('signinSilent')
    expect(renewed).toMatchObject({ email, refresh_token: undefined })
    expect(renewed?.access_token).not.toBe(before?.access_token)
    expect(complaints).toEqual([])
    // Another site's frame is shown as nobody.
    await page.goto(`${site.origin}/framed`)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Allow' }).click()
    await says(`Hello ${email}`)
    await expect(held('signinSilent')).rejects.toThrow('Nobody is signed in')
  })

  test('revokes its tokens, and is refused a renewal then', async () => {
    await signUpFrom('plain')
    const before = await held('getUser')
    await page.evaluate(() => globalThis.manager.revokeTokens(['refresh_token']))
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: before?.refresh_token ?? '' })
    const refused = await page.evaluate(
      async ([url, form]) => {
        const { client_id } = globalThis.manager.settings
        const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(`${form}&client_id=${client_id}`) })
        return answer.json()
      },
      [server.url('/oauth/token'), form.toString()] as const,
    )
    expect(refused.error).toBe('invalid_grant')
  })

  test('is told when the person does not allow it', async () => {
    await signUpFrom('plain')
    await page.goto(`${site.origin}/bound`)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Deny' }).click()
    await says('Failed: ErrorResponse')
  })

  test('binds its tokens to a key of the browser, and brings the nonce that it is asked for', async () => {
    const email = await signUpFrom('bound')
    const before = await held('getUser')
    expect(before).toMatchObject({ token_type: 'DPoP', email })
    const renewed = await held('signinSilent')
    expect(renewed).toMatchObject({ token_type: 'DPoP', email })
    expect(renewed?.access_token).not.toBe(before?.access_token)
    const status = await page.evaluate(async (url) => {
      const { manager } = globalThis
      const user = await manager.getUser()
      const proof = user && (await manager.dpopProof(url, user))
      const headers = { authorization: `DPoP ${user?.access_token}`, dpop: proof ?? '' }
      return [
        (await fetch(url, { headers })).status,
        (await fetch(url, { headers: { authorization: `Bearer ${user?.access_token}` } })).status,
      ]
    }, server.url('/oauth/userinfo'))
    expect(status).toEqual([200, 401])
  })
})
