import { call } from '../objects/call.ts'
import { openList } from '../objects/delivery.ts'
import { FEED_CONTENT_TYPE, parseCursor } from '../protocol/feed.ts'
import { DPOP_ALGORITHMS } from '../sdk/dpop-proof.ts'
import { protectedResourceMetadata } from '../sdk/protected-resource.ts'
import type { AppContext } from './context.ts'
import { issuerMetadata } from './oauth/metadata.ts'
import { offerOf } from './oauth/offer.ts'
import { operation } from './operation.ts'
import { ApiError } from './problem.ts'

/** Anybody may read these from anywhere, and keep them for a while: keys are published a day before they sign. */
const PUBLIC = { 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' }

function metadata(c: AppContext): Response {
  return c.json(issuerMetadata(c.get('services').config), 200, PUBLIC)
}

export const discovery = operation({
  summary: 'Metadata of this issuer (RFC 8414, OpenID Connect Discovery): only what exists.',
  access: 'open',
  answers: { 200: { description: 'The metadata.' } },
  problems: [],
  handle: metadata,
})

export const protectedResource = operation({
  summary: 'This issuer as a resource of its own tokens (RFC 9728): userinfo.',
  access: 'open',
  answers: { 200: { description: 'The metadata.' } },
  problems: [],
  handle(c) {
    const { config } = c.get('services')
    const { issuer } = config
    return protectedResourceMetadata({
      resource: issuer,
      authorization_servers: [issuer],
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      scopes_supported: offerOf(config).scopes,
      bearer_methods_supported: ['header', 'body'],
      dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    })()
  },
})

export const jwks = operation({
  summary: 'The public keys (RFC 7517): all that sign, will sign, or signed a token that may still live.',
  access: 'open',
  answers: { 200: { description: 'The key set.' } },
  problems: ['unavailable'],
  async handle(c) {
    return c.json(await c.get('objects').keySet('jwks', (stub) => stub.jwks()), 200, PUBLIC)
  },
})

/** Shared caches may keep the feed, and must ask before they answer from it: a stale one makes views old, never new. */
const FEED = { 'Content-Type': FEED_CONTENT_TYPE, 'Cache-Control': 'no-cache', 'Access-Control-Allow-Origin': '*' }

async function subscribe(c: AppContext): Promise<Response> {
  const response = await call(
    'RevocationList.fetch',
    () => openList(c.env),
    (list) => list.fetch(c.req.raw),
  )
  if (response.status === 503)
    throw new ApiError('overloaded', { retryAfter: 5, reason: 'as many sockets as may be', detail: 'Poll instead.' })
  return response
}

export const revocations = operation({
  summary:
    'The revocation feed: the denials since a cursor, or all live ones. Binary, see src/protocol/feed.ts. A WebSocket upgrade pushes.',
  access: 'open',
  query: { after: 'The cursor of the last answer; none for a snapshot.' },
  answers: { 200: { description: 'The feed, version 1 (application/octet-stream).' } },
  problems: ['invalid_request', 'overloaded', 'unavailable'],
  async handle(c) {
    const after = c.req.query('after') ?? null
    if (after !== null && parseCursor(after) === null) throw new ApiError('invalid_request', { detail: '`after` must be a cursor.' })
    if (c.req.header('Upgrade')?.toLowerCase() === 'websocket') return subscribe(c)
    return c.body(await c.get('objects').list('feed', (stub) => stub.feed(after)), 200, FEED)
  },
})

export const health = operation({
  summary: 'Whether this Worker is configured and serves.',
  access: 'open',
  answers: { 200: { description: 'It does.' } },
  problems: ['misconfigured'],
  handle: (c) => c.json({ status: 'ok' }),
})
