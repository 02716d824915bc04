// An MCP server (Streamable HTTP, without sessions): clients find by themselves where to get a token for it, and each tool says what it needs.
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { type AuthVariables, authenticate, protectedResourceMetadata, requireScope } from 'sallyport/hono'
import { createVerifier, type Verifier, type VerifierBinding } from 'sallyport/sdk'
import type { Notebook } from '../notes-api/notebook.ts'
import { knownOrigin, originsOf } from './origin.ts'
import { rpcError } from './rpc-error.ts'
import { SCOPES, scopeOf, toolServer } from './tools.ts'

export { Notebook } from '../notes-api/notebook.ts'

type Bindings = {
  ISSUER: string
  RESOURCE: string
  ALLOWED_ORIGINS: string
  SALLYPORT: VerifierBinding
  NOTEBOOK: DurableObjectNamespace<Notebook>
}
type McpEnv = { Bindings: Bindings; Variables: AuthVariables }

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

let verifier: Verifier | undefined

/** One for the life of the isolate. Its challenges name the metadata below (RFC 9728, 5.1). */
function verifierOf({ ISSUER, RESOURCE, SALLYPORT }: Bindings): Verifier {
  const resourceMetadata = new URL(`${WELL_KNOWN}/mcp`, RESOURCE).href
  verifier ??= createVerifier({ issuer: ISSUER, audience: RESOURCE, binding: SALLYPORT, resourceMetadata })
  return verifier
}

const signedIn = createMiddleware<McpEnv>((c, next) => authenticate<McpEnv>({ verifier: verifierOf(c.env) })(c, next))

/** Bytes: a note has 1000 characters. */
const MAX_MESSAGE = 16_384

const smallBody = bodyLimit({
  maxSize: MAX_MESSAGE,
  onError: (c) => c.json(rpcError(-32600, `a message has at most ${MAX_MESSAGE} bytes`), 413),
})

/** One message a request, since MCP of 2025-06-18. */
const oneMessage = createMiddleware<McpEnv>(async (c, next) => {
  const message: unknown = await c.req.json().catch(() => undefined)
  if (message === undefined) return c.json(rpcError(-32700, 'this is not JSON'), 400)
  if (Array.isArray(message)) return c.json(rpcError(-32600, 'send one message at a time'), 400)
  return next()
})

/** A call of a tool beyond the token's scope is answered by a challenge that names it: the client may ask the person, and come back. */
const mayCall = createMiddleware<{ Variables: AuthVariables }>(async (c, next) => {
  const scope = scopeOf(await c.req.json())
  return scope === null ? next() : requireScope(scope)(c, next)
})

const app = new Hono<McpEnv>()

app.use(knownOrigin)
app.use((c, next) =>
  cors({
    origin: originsOf(c.env),
    allowHeaders: ['Authorization', 'Content-Type', 'Mcp-Protocol-Version'],
    exposeHeaders: ['WWW-Authenticate', 'Retry-After'],
  })(c, next),
)

// Both addresses are asked for: that of the resource's path (RFC 9728, 3.1), and that of the host alone.
for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`]) {
  app.get(path, ({ env }) =>
    protectedResourceMetadata({
      resource: env.RESOURCE,
      authorization_servers: [env.ISSUER],
      // Clients that were told no scope ask for all of these.
      scopes_supported: SCOPES,
      resource_name: 'Notes',
    })(),
  )
}

app.post('/mcp', signedIn, smallBody, oneMessage, mayCall, async (c) => {
  const { sub, client_id, scope } = c.var.auth.claims
  const server = toolServer({ caller: { sub, client_id, scope }, notebook: c.env.NOTEBOOK.getByName(sub) })
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport)
  return transport.handleRequest(c.req.raw, { parsedBody: await c.req.json() })
})

// Nothing is pushed, and there is no session to end.
app.on(['GET', 'DELETE'], '/mcp', signedIn, (c) => c.body(null, 405, { Allow: 'POST' }))

export default app
