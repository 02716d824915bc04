import { openSessionCookie } from '../tokens/session-cookie.ts'
import { besides } from './besides.ts'
import type { AppContext } from './context.ts'
import { readCookie, SESSION_COOKIE } from './cookies.ts'

/**
 * A browser that signs in again leaves its earlier session behind (ASVS 7.2.4): nobody could end it, its cookie is overwritten. Of the same
 * account, the new one takes its place, so that the apps that hang on it notice nothing (docs/decisions/0011).
 */
export const endReplacedSession = (c: AppContext, started: { sub: string; sid: string }): Promise<void> =>
  besides(c, 'end_replaced_session', async () => {
    const cookie = readCookie(c, SESSION_COOKIE)
    const replaced = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
    if (!replaced) return
    const { sub, sid, secret } = replaced
    const successor = sub === started.sub ? { successor: started.sid } : {}
    await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret, ...successor }))
  })
