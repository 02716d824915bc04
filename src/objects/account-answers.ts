import type { AccountRow } from '../accounts/account.ts'
import type { SessionFacts } from '../sessions/session.ts'
import type { Carry, StartedSession } from '../sessions/start.ts'

/** What goes to the Account object and what comes back: plain data. */
export type Person = { sub: string; email: string; name: string | null; roles: string[] }
export type CurrentSession = { ok: true; person: Person; session: SessionFacts }
/** `denied` false: the change is durable, the revocation list has not heard of it yet. The alarm tells it; a repeated call may, too. */
export type Ended = { ok: true; denied: boolean }
export type NewAccount = { sub: string; email: string; name: string | null; phc: string; user_agent: string; carry: Carry }
export type Created =
  | { ok: true; started: StartedSession; device: { id: string; issued_at: number } }
  | { ok: false; error: 'identifier_taken' }

export const personOf = ({ sub, email, name, roles }: AccountRow): Person => ({ sub, email, name, roles })
