import type { AccountStore } from '../accounts/account-store.ts'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { denySession } from '../revocation/denials.ts'
import type { OutboxStore } from '../revocation/outbox-store.ts'
import { randomId } from '../tokens/random-id.ts'
import type { FamilyStore } from './family-store.ts'
import { generationSecret } from './generation-secret.ts'
import { equalBytes, ownsSession } from './prove.ts'
import { sessionEnd } from './session.ts'
import type { SessionStore } from './session-store.ts'

export type EndStores = { accounts: AccountStore; sessions: SessionStore; families: FamilyStore; outbox: OutboxStore }

/** Ends one session with its families and denies its access tokens. Ending it again changes nothing. */
export function endSession(stores: EndStores, sid: string, now: number): void {
  const session = stores.sessions.get(sid)
  if (!session || session.ended_at !== null) return
  stores.sessions.end(sid, now)
  stores.families.endOf(sid, now)
  stores.outbox.add({ target: 'denial', body: denySession(sid, now) }, now)
  tellClients(stores, [sid], now)
  for (const before of stores.sessions.replacedBy(sid)) endSession(stores, before, now)
}

/** Leaves a notice for each client that was authorized in these sessions: nobody who signs out waits for them. */
export function tellClients({ families, outbox, accounts }: EndStores, sids: readonly string[], now: number): void {
  const sub = accounts.get()?.sub
  if (sub === undefined) return
  for (const sid of sids) {
    for (const { client_id, uri } of families.logoutTargets(sid)) {
      outbox.add({ target: 'logout', body: { id: randomId(), client_id, uri, sub, sid } }, now)
    }
  }
}

/** What a sign-out names: the session's own cookie, or any generation of its family. Living or dead: the retry of a 503 must work. */
export type SignOut =
  /** `successor`: a session of the same account and browser, which takes its place. */
  | { by: 'cookie'; sid: string; secret: Uint8Array; successor?: string }
  | { by: 'refresh_token'; grant_id: string; generation: number; secret: Uint8Array }

/**
 * Signing in again, because one app wanted to see it, must not sign the person out of the others: while any hangs on a session it lives on
 * without a cookie, as part of the one that took its place.
 */
function isSucceeded({ sessions, families }: EndStores, sid: string, successor: string, now: number): boolean {
  const next = sessions.get(successor)
  const hangs = families.hasClients(sid) || sessions.replacedBy(sid).length > 0
  return hangs && sid !== successor && next !== null && now < sessionEnd(next)
}

/**
 * The same cookie brought a session before: its reply was lost, or the form was sent twice. Nobody knows which of the two the browser keeps, so
 * each opens, and the end of the later one ends the other with all that hangs on it. Only whoever has signed in to this account gets here.
 */
function joinSuccessor({ sessions }: Pick<EndStores, 'sessions'>, other: string, successor: string, now: number): boolean {
  const [before, next] = [sessions.get(other), sessions.get(successor)]
  if (before?.successor && other !== successor) return joinSuccessor({ sessions }, before.successor, successor, now)
  if (!before || !next || other === successor || next.successor !== null || now >= sessionEnd(next)) return false
  sessions.join(other, successor)
  return true
}

/** Answers false when the secret is not the session's: only a forger who holds the MAC key gets here. */
export function signOut(stores: EndStores, what: SignOut, now: number): boolean {
  if (what.by === 'cookie') {
    const session = stores.sessions.get(what.sid)
    const { sid, successor } = what
    if (session?.successor && successor !== undefined) return joinSuccessor(stores, session.successor, successor, now)
    if (session && !ownsSession(session, what.secret)) return false
    if (successor !== undefined && isSucceeded(stores, sid, successor, now)) stores.sessions.succeed(sid, successor)
    else endSession(stores, sid, now)
    return true
  }
  const family = stores.families.get(what.grant_id)
  if (!family) return true
  // The refresh token of an OAuth client is no key to the whole session; `/oauth/revoke` takes it.
  if (family.client_id !== FIRST_PARTY_CLIENT_ID) return false
  if (!equalBytes(what.secret, generationSecret(new Uint8Array(family.seed), what.generation))) return false
  endSession(stores, family.sid, now)
  return true
}
