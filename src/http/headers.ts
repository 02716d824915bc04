import type { MiddlewareHandler } from 'hono'
import type { Config } from '../config.ts'
import type { AppEnv } from './context.ts'

const NOTHING_MAY_LOAD = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What every response says; caching, the content policy and the referrer policy unless its route has said them already. */
export function secureHeaders(headers: Headers, requestId: string, config?: Config): void {
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', 'no-store')
  if (!headers.has('Content-Security-Policy')) headers.set('Content-Security-Policy', NOTHING_MAY_LOAD)
  headers.set('X-Content-Type-Options', 'nosniff')
  if (!headers.has('Referrer-Policy')) headers.set('Referrer-Policy', 'no-referrer')
  headers.set('X-Request-Id', requestId)
  if (!config?.issuer.startsWith('http:')) headers.set('Strict-Transport-Security', 'max-age=31536000; includeSubDomains')
}

const PREFLIGHT = {
  'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type',
  'Access-Control-Max-Age': '600',
}

/** CORS for `/api`, for the issuer and ALLOWED_ORIGINS only: others are told nothing, and their browser refuses. */
export const cors: MiddlewareHandler<AppEnv> = async (c, next) => {
  const origin = c.req.header('Origin')
  const { issuer, allowedOrigins } = c.get('services').config
  const allowed = origin !== undefined && (origin === issuer || allowedOrigins.includes(origin))
  if (c.req.method === 'OPTIONS' && c.req.header('Access-Control-Request-Method') !== undefined) {
    const granted = allowed ? { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true', ...PREFLIGHT } : {}
    return c.body(null, 204, { ...granted, Vary: 'Origin' })
  }
  await next()
  c.res.headers.append('Vary', 'Origin')
  if (!allowed) return undefined
  c.res.headers.set('Access-Control-Allow-Origin', origin)
  c.res.headers.set('Access-Control-Allow-Credentials', 'true')
  c.res.headers.set('Access-Control-Expose-Headers', 'WWW-Authenticate, Retry-After, X-Request-Id')
  return undefined
}
