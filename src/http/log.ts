import type { AppContext } from './context.ts'

/**
 * One JSON line. Fields are ids, codes and reasons: never a password, a token, a cookie, an address or a body. The path is the route's
 * pattern, since a path can hold a session id.
 */
export function log(c: AppContext, level: 'info' | 'warn' | 'error', event: string, fields: Record<string, unknown> = {}): void {
  console[level](JSON.stringify({ level, event, request_id: c.get('requestId'), method: c.req.method, ...fields }))
}
