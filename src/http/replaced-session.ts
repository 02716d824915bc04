import { openSessionCookie } from '../tokens/session-cookie.ts'
import { besides } from './besides.ts'
import type { AppContext } from './context.ts'
import { readCookie, SESSION_COOKIE } from './cookies.ts'

/** A browser that signs in again leaves its earlier session behind (ASVS 7.2.4): nobody could end it, its cookie is overwritten. */
export const endReplacedSession = (c: AppContext): Promise<void> =>
  besides(c, 'end_replaced_session', async () => {
    const cookie = readCookie(c, SESSION_COOKIE)
    const replaced = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
    if (!replaced) return
    const { sub, sid, secret } = replaced
    await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret }))
  })
