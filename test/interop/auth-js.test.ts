// Auth.js (https://authjs.dev), as its page on custom OpenID Connect providers says: the issuer, the id and the secret, nothing else.
import { Auth, type AuthConfig } from '@auth/core'
import { getRequestListener } from '@hono/node-server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { register } from '../support/node/oauth.ts'
import { app, browser, PASSWORD, requireStatus, type Session, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { serveApp } from './app-server.ts'
import { createVisitor } from './visitor.ts'

const EMAIL = 'cyd@example.com'

let server: Server
let cyd: Session
beforeAll(async () => {
  server = await startServer()
  const setup = browser(server.origin)
  cyd = await signUp(setup, EMAIL)
  setup.close()
})
afterAll(() => server.stop())

type Provider = { checks?: ('pkce' | 'state' | 'nonce')[]; client?: { token_endpoint_auth_method: string } }

/** The whole way in a new site with a new person's browser; answers what the site then knows. */
async function signIn(provider: Provider, metadata: object = {}): Promise<Record<string, unknown>> {
  const http = app(server.origin)
  const site = await serveApp(async (origin) => {
    const redirect_uris = [`${origin}/auth/callback/sallyport`]
    const client = await register(http, { redirect_uris, token_endpoint_auth_method: 'client_secret_basic', ...metadata })
    const config: AuthConfig = {
      providers: [
        {
          id: 'sallyport',
          name: 'Sallyport',
          type: 'oidc',
          issuer: server.origin,
          clientId: client.client_id,
          clientSecret: client.client_secret ?? '',
          ...provider,
        },
      ],
      secret: 'a-secret-of-the-site-that-is-long-enough',
      trustHost: true,
      callbacks: {
        jwt: ({ token, account }) =>
          account ? { ...token, access_token: account.access_token, subject: account.providerAccountId } : token,
        session: ({ session, token }) => ({ ...session, subject: token.subject, access_token: token.access_token }),
      },
    }
    return getRequestListener((request) => Auth(request, config))
  })
  const person = createVisitor(server.origin, { email: EMAIL, password: PASSWORD }, [site.origin])
  const own = person.at(site.origin)
  try {
    const { csrfToken } = requireStatus(await own.get<{ csrfToken: string }>('/auth/csrf'), 200).json
    const form = new URLSearchParams({ csrfToken, callbackUrl: '/auth/session' })
    const begun = requireStatus(await own.post('/auth/signin/sallyport', form), 302)
    const { url, reply } = await person.visit(begun.headers.location ?? '')
    expect(url.href).toBe(`${site.origin}/auth/session`)
    return JSON.parse(reply?.text ?? '')
  } finally {
    http.close()
    person.close()
    await site.close()
  }
}

test('Auth.js signs a person in, and knows their address from the ID token', async () => {
  const session = await signIn({})
  expect(session).toMatchObject({ user: { email: EMAIL }, subject: cyd.sub })
  const http = app(server.origin)
  const asked = await http.get('/oauth/userinfo', { authorization: `Bearer ${session.access_token}` })
  expect(asked.json).toMatchObject({ sub: cyd.sub, email: EMAIL })
  http.close()
})

test('Auth.js signs a person in with every check that it has, and its secret in the form', async () => {
  const token_endpoint_auth_method = 'client_secret_post'
  const session = await signIn(
    { checks: ['pkce', 'state', 'nonce'], client: { token_endpoint_auth_method } },
    { token_endpoint_auth_method },
  )
  expect(session).toMatchObject({ user: { email: EMAIL }, subject: cyd.sub })
})
