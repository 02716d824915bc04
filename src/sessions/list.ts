import type { FamilyStore } from './family-store.ts'
import { FAMILY_IDLE_SECONDS, sessionEnd } from './session.ts'
import type { SessionStore } from './session-store.ts'

/** One living session, with what a person needs to know it by. Times are integer seconds. */
export type ListedSession = {
  sid: string
  current: boolean
  use: 'cookie' | 'tokens'
  user_agent: string
  amr: string[]
  created_at: number
  last_used_at: number
  expires_at: number
}

/** Bearer callers see `last_used_at` to the hour only: a thief must not be able to watch for the moment to shadow a refresh. */
const COARSE_SECONDS = 3600

export function listSessions(
  stores: { sessions: SessionStore; families: FamilyStore },
  caller: { sid: string; kind: 'cookie' | 'token' },
  now: number,
): ListedSession[] {
  const lastUsed = stores.families.lastUsed()
  return stores.sessions.open().flatMap((session) => {
    // Part of the one that took its place.
    if (session.successor !== null && session.secret_hash === null) return []
    const rotated = lastUsed.get(session.sid)
    const end = session.secret_hash ? sessionEnd(session) : Math.min(sessionEnd(session), (rotated ?? 0) + FAMILY_IDLE_SECONDS)
    if (now >= end) return []
    const used = Math.max(session.seen_at, rotated ?? 0)
    return {
      sid: session.sid,
      current: session.sid === caller.sid,
      use: session.secret_hash ? ('cookie' as const) : ('tokens' as const),
      user_agent: session.user_agent,
      amr: session.amr,
      created_at: session.created_at,
      last_used_at: caller.kind === 'token' ? Math.max(session.created_at, used - (used % COARSE_SECONDS)) : used,
      expires_at: end,
    }
  })
}
