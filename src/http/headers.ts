import type { MiddlewareHandler } from 'hono'
import type { Config } from '../config.ts'
import type { AppEnv } from './context.ts'

/** What every response says, unless its route has said it already. Shared by the answers that come before any route. */
export function secureHeaders(headers: Headers, requestId: string, config?: Config): void {
  const defaults: Record<string, string> = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'X-Request-Id': requestId,
    ...(config?.issuer.startsWith('http:') ? {} : { 'Strict-Transport-Security': 'max-age=31536000; includeSubDomains' }),
  }
  for (const [name, value] of Object.entries(defaults)) if (!headers.has(name)) headers.set(name, value)
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
