// workers-oauth-provider on KV. /setup makes a client, a public one if asked, and /authorize approves without a screen; neither is timed.

import { env } from 'cloudflare:workers'
import { OAuthProvider } from '@cloudflare/workers-oauth-provider'
import { Hono } from 'hono'

const api = new Hono()
api.get('/me', (c) => c.json(c.executionCtx.props))

const app = new Hono()
app.post('/setup', async (c) => {
  const tokenEndpointAuthMethod = c.req.query('method') ?? 'client_secret_post'
  const client = { redirectUris: ['https://client.example.test/cb'], clientName: 'bench', tokenEndpointAuthMethod }
  return c.json(await c.env.OAUTH_PROVIDER.createClient(client))
})
app.get('/authorize', async (c) => {
  const request = await c.env.OAUTH_PROVIDER.parseAuthRequest(c.req.raw)
  const userId = c.req.query('user') ?? ''
  const props = { sub: '0123456789012345678901', email: 'someone@example.test' }
  const approval = { request, userId, metadata: {}, scope: request.scope, revokeExistingGrants: false, props }
  return c.json(await c.env.OAUTH_PROVIDER.completeAuthorization(approval))
})

export default new OAuthProvider({
  apiRoute: '/me',
  apiHandler: api,
  defaultHandler: app,
  authorizeEndpoint: '/authorize',
  tokenEndpoint: '/token',
  resourceMetadata: { resource: env.ORIGIN },
  scopesSupported: ['openid', 'profile'],
})
