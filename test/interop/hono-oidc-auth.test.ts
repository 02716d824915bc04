// @hono/oidc-auth (https://github.com/honojs/middleware), the app of its README, with a production configuration behind TLS.
import { getRequestListener } from '@hono/node-server'
import { getAuth, initOidcAuthMiddleware, oidcAuthMiddleware, processOAuthCallback, revokeSession } from '@hono/oidc-auth'
import { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PASSWORD, type Session, signUp } from '../support/node/person.ts'
import { type SecureServer, startSecureServer } from '../support/node/secure-server.ts'
import { type App, serveApp } from './app-server.ts'
import { createVisitor, type Visitor } from './visitor.ts'

const EMAIL = 'dot@example.com'
const INITIAL_ACCESS_TOKEN = 'test-only-initial-access-token-of-an-operator'

let deployed: SecureServer
let site: App
let dot: Session
let person: Visitor
beforeAll(async () => {
  deployed = await startSecureServer({ vars: { SALLYPORT_ENV: 'production', LAB: 'off', INITIAL_ACCESS_TOKEN } })
  site = await serveApp(makeSite)
  person = createVisitor(deployed.issuer, { email: EMAIL, password: PASSWORD }, [site.origin])
  dot = await signUp(person.at(deployed.issuer), EMAIL)
})
afterAll(async () => {
  person.close()
  await site.close()
  await deployed.stop()
})

/** With what the library has by default: every scope that the issuer names, the secret in the header, PKCE, nonce and state. */
async function makeSite(origin: string) {
  const registered = await fetch(`${deployed.issuer}/oauth/register`, {
    method: 'POST',
    headers: { authorization: `Bearer ${INITIAL_ACCESS_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'A Hono app', redirect_uris: [`${origin}/callback`] }),
  })
  expect(registered.status).toBe(201)
  const { client_id, client_secret } = await registered.json()
  const app = new Hono()
  app.use(
    initOidcAuthMiddleware({
      OIDC_ISSUER: deployed.issuer,
      OIDC_CLIENT_ID: client_id,
      OIDC_CLIENT_SECRET: client_secret,
      OIDC_AUTH_SECRET: 'a-secret-of-the-site-that-is-long-enough',
      // Each page asks the issuer whether the person is still there.
      OIDC_AUTH_REFRESH_INTERVAL: '-1',
    }),
  )
  app.get('/logout', async (c) => {
    await revokeSession(c)
    return c.text('You have been successfully logged out!')
  })
  app.get('/callback', async (c) => processOAuthCallback(c))
  app.use('*', oidcAuthMiddleware())
  app.get('/', async (c) => {
    const auth = await getAuth(c)
    return c.text(`Hello ${auth?.sub} <${auth?.email}>!`)
  })
  return getRequestListener(app.fetch)
}

const cookieOf = () => person.at(site.origin).cookies.get('oidc-auth') ?? ''
const refreshTokenIn = (cookie: string) => JSON.parse(Buffer.from(cookie.split('.')[1] ?? '', 'base64url').toString()).rtk

test('@hono/oidc-auth signs a person in, refreshes at every page, and signs out by revoking', async () => {
  const greeting = `Hello ${dot.sub} <${EMAIL}>!`
  const { url, reply } = await person.visit(`${site.origin}/`)
  expect([url.href, reply?.text]).toEqual([`${site.origin}/`, greeting])
  const own = person.at(site.origin)
  const before = cookieOf()
  expect((await own.get('/')).text).toBe(greeting)
  const signedIn = cookieOf()
  expect(refreshTokenIn(signedIn)).not.toBe(refreshTokenIn(before))
  expect((await own.get('/logout')).text).toMatch(/logged out/)
  expect(cookieOf()).toBe('')
  // Who has kept the cookie has a revoked refresh token in it: the site sends them to sign in.
  const kept = await own.get('/', { cookie: `oidc-auth=${signedIn}` })
  expect(kept.status).toBe(302)
  expect(kept.headers.location).toContain(`${deployed.issuer}/oauth/authorize?`)
})
