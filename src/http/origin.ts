import type { Config } from '../config.ts'
import type { AppContext } from './context.ts'
import { ApiError } from './problem.ts'

/**
 * Where a request says it comes from. `Origin` decides when it is there; else Fetch Metadata does (https://www.w3.org/TR/fetch-metadata/).
 * Neither: not a browser, or one too old to tell.
 */
export function originOf(
  c: AppContext,
  { issuer, allowedOrigins }: Pick<Config, 'issuer' | 'allowedOrigins'>,
): 'ours' | 'foreign' | 'unknown' {
  const origin = c.req.header('Origin')
  if (origin !== undefined) return origin === issuer || allowedOrigins.includes(origin) ? 'ours' : 'foreign'
  const site = c.req.header('Sec-Fetch-Site')
  if (site === undefined || site === 'none') return 'unknown'
  return site === 'same-origin' ? 'ours' : 'foreign'
}

/** A change that a cookie authorises must come from our own pages: the browser adds the cookie whoever asks (CSRF). */
export function requireOwnOrigin(c: AppContext): void {
  if (originOf(c, c.get('services').config) !== 'ours') throw new ApiError('cross_origin')
}

/** What a person allows another app must come from the page that asked: the operator's own apps may use a session, not give it away. */
export function requireOwnPage(c: AppContext): void {
  const { issuer } = c.get('services').config
  if (originOf(c, { issuer, allowedOrigins: [] }) !== 'ours') throw new ApiError('cross_origin')
}

/** Sign-in and sign-up need no origin, and refuse a foreign one: nobody may be signed in to a stranger's account (login CSRF). */
export function refuseForeignOrigin(c: AppContext): void {
  if (originOf(c, c.get('services').config) === 'foreign') throw new ApiError('cross_origin')
}
