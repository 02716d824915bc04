import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../context.ts'

const PREFLIGHT = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, DPoP, MCP-Protocol-Version',
  'Access-Control-Max-Age': '600',
}

/**
 * CORS for endpoints where no cookie counts, only what the caller says itself: pages of any origin may ask and read, as any program may.
 * Never with credentials.
 */
export const publicCors: MiddlewareHandler<AppEnv> = async (c, next) => {
  if (c.req.method === 'OPTIONS' && c.req.header('Access-Control-Request-Method') !== undefined) return c.body(null, 204, PREFLIGHT)
  await next()
  c.res.headers.set('Access-Control-Allow-Origin', '*')
  c.res.headers.set('Access-Control-Expose-Headers', 'WWW-Authenticate, DPoP-Nonce, Retry-After, X-Request-Id')
  return undefined
}
