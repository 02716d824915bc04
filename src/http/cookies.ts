import { COOKIE_LIFETIME_SECONDS } from '../sessions/session.ts'
import type { AppContext } from './context.ts'

/** `__Host-` binds a cookie to this host, https and `/`: no sibling host can set or shadow it (RFC 6265bis, 4.1.3.2). */
export const SESSION_COOKIE = '__Host-session'
export const DEVICE_COOKIE = '__Host-device'

const DEVICE_SECONDS = 365 * 86_400

/**
 * Space and tab only, as RFC 6265bis says. `trim` takes every Unicode space, and a browser does not see the prefix behind one: any sibling
 * host could set \u2000__Host-session, and it would be read as ours.
 */
const unpadded = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '')

/** The value of a cookie. Two of one name are ambiguous, and count as broken: the empty string, which opens nothing. Null: none. */
export function readCookie(c: AppContext, name: string): string | null {
  const values = (c.req.header('Cookie') ?? '').split(';').flatMap((pair) => {
    const at = pair.indexOf('=')
    return at > 0 && unpadded(pair.slice(0, at)) === name ? unpadded(pair.slice(at + 1)) : []
  })
  return values.length === 0 ? null : values.length === 1 ? (values[0] ?? null) : ''
}

function write(c: AppContext, name: string, value: string, maxAge: number): void {
  c.header('Set-Cookie', `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${maxAge}`, { append: true })
}

export const writeSessionCookie = (c: AppContext, value: string) => write(c, SESSION_COOKIE, value, COOKIE_LIFETIME_SECONDS)
export const writeDeviceCookie = (c: AppContext, value: string) => write(c, DEVICE_COOKIE, value, DEVICE_SECONDS)
export const clearSessionCookie = (c: AppContext) => write(c, SESSION_COOKIE, '', 0)
