import { openSessionCookie } from '../../tokens/session-cookie.ts'
import type { AppContext } from '../context.ts'
import { readCookie, SESSION_COOKIE } from '../cookies.ts'

/** Who is signed in, in this browser: the account's and the session's facts. Null: nobody. For pages that show it and change nothing. */
export async function ownSession(c: AppContext) {
  const cookie = readCookie(c, SESSION_COOKIE)
  const opened = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
  if (!opened) return null
  const { sub, sid, secret } = opened
  const answer = await c.get('objects').account(sub, 'session', (stub) => stub.session({ kind: 'cookie', sid, secret }))
  return answer.ok ? { sub, sid, person: answer.person, session: answer.session } : null
}
