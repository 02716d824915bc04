// A service on plain node:http. Keys come from the issuer over HTTP, revocations are pushed over a WebSocket; what changes something asks
// the issuer itself.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { introspection } from 'sallyport/introspection'
import { createVerifier, type Freshness, TokenError } from 'sallyport/sdk'
import { websocketFeed } from 'sallyport/websocket'

const { ISSUER = 'http://localhost:8787', AUDIENCE = 'http://localhost:8789', PORT = '8789' } = process.env
const { CLIENT_ID = 'node-api', CLIENT_SECRET = '' } = process.env

const verifier = createVerifier({
  issuer: ISSUER,
  audience: AUDIENCE,
  feed: websocketFeed(),
  introspection: introspection({ client_id: CLIENT_ID, client_secret: CLIENT_SECRET }),
})

/** What a token must say on each route, and how current the answer about a revocation must be. */
const ROUTES: ReadonlyMap<string, { scope: string; freshness: Freshness }> = new Map([
  ['GET /notes', { scope: 'notes:read', freshness: 'fresh' }],
  ['POST /notes', { scope: 'notes:write', freshness: 'live' }],
])

async function answer(request: IncomingMessage): Promise<Response> {
  const { method, url = '/', headers: sent } = request
  const route = ROUTES.get(`${method} ${url.split('?')[0]}`)
  if (!route) return new Response(null, { status: 404 })
  const headers = new Headers(sent.authorization === undefined ? {} : { authorization: sent.authorization })
  const { claims, freshness, viewAgeMs } = await verifier.verify({ url, headers }, { freshness: route.freshness })
  // Valid here is not allowed this: the challenge names the scope that a client must ask for (RFC 6750, 3.1).
  if (!claims.scope.split(' ').includes(route.scope)) throw new TokenError('insufficient_scope', 'scope', { scope: route.scope })
  return Response.json({ sub: claims.sub, roles: claims.roles, freshness, viewAgeMs })
}

async function send(response: ServerResponse, { status, headers, body }: Response): Promise<void> {
  response.writeHead(status, Object.fromEntries(headers))
  for await (const chunk of body ?? []) response.write(chunk)
  response.end()
}

const server = createServer(async (request, response) => {
  try {
    await send(response, await answer(request))
  } catch (error) {
    if (!(error instanceof TokenError)) console.error(error)
    await send(response, error instanceof TokenError ? error.getResponse() : new Response(null, { status: 500 }))
  }
})

server.listen(Number(PORT), 'localhost', () => console.log(`node-api at http://localhost:${PORT}`))

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    verifier.close()
    server.close()
    server.closeAllConnections()
  })
}
