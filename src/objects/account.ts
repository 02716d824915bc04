import { DurableObject } from 'cloudflare:workers'
import type { AccountRow } from '../accounts/account.ts'
import { accountStore } from '../accounts/account-store.ts'
import * as lifecycle from '../accounts/lifecycle.ts'
import { passwordChangedNotice } from '../accounts/notices.ts'
import type { Env } from '../env.ts'
import { attemptStore } from '../login/attempt-store.ts'
import { ATTEMPT_MEMORY } from '../login/attempts.ts'
import { passwordStore } from '../login/password-store.ts'
import { type BegunSignIn, beginSignIn, beginTry, finishSignIn, PASSWORD_FACTS, type SignedIn, settleTry } from '../login/sign-in.ts'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { type OutboxStore, outboxStore } from '../revocation/outbox-store.ts'
import { endSession, type SignOut, signOut } from '../sessions/end.ts'
import { familyStore } from '../sessions/family-store.ts'
import { type ListedSession, listSessions } from '../sessions/list.ts'
import { type ProvenSession, proveSession, type SessionProof, type UnprovenSession } from '../sessions/prove.ts'
import { type Presented, type Refreshed, refresh } from '../sessions/refresh.ts'
import { factsOf, grantToken, type SessionFacts, sessionEnd, TOUCH_SECONDS, type TokenGrant } from '../sessions/session.ts'
import { sessionStore } from '../sessions/session-store.ts'
import { type Carry, type StartedSession, startSession } from '../sessions/start.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/account/0001-init.sql'
import { randomId } from '../tokens/random-id.ts'
import { deliver, FIRST_RETRY_MS, retryDelay } from './delivery.ts'

export type Person = { sub: string; email: string; name: string | null; roles: string[] }
export type CurrentSession = { ok: true; person: Person; session: SessionFacts }
/** `denied` false: the change is durable, the revocation list has not heard of it yet. The alarm tells it; a repeated call may, too. */
export type Ended = { ok: true; denied: boolean }
export type NewAccount = { sub: string; email: string; name: string | null; phc: string; user_agent: string; carry: Carry }
export type Created = { ok: true; started: StartedSession; device: string } | { ok: false; error: 'identifier_taken' }

const personOf = ({ sub, email, name, roles }: AccountRow): Person => ({ sub, email, name, roles })

/**
 * One account, or the decoy of an address that has none. Each method is one intent: the clock is read once, one synchronous transaction
 * reads, decides and writes, and whoever else must know is told through the outbox.
 */
export class Account extends DurableObject<Env> {
  #opened: ReturnType<typeof openStores> | null = null
  #wroteLetter = false

  // Not in the constructor: an object that is only asked about, and holds nothing, stores nothing.
  get #stores() {
    if (!this.#opened) {
      migrate(this.ctx.storage, [{ id: '0001-init', sql: init }])
      this.#opened = openStores(this.ctx.storage.sql, this.env.SALLYPORT_ENV === 'development', () => {
        this.#wroteLetter = true
      })
    }
    return this.#opened
  }

  /** Makes the account and its first session, if there is none; of many who try at once, one does. */
  async create(made: NewAccount): Promise<Created> {
    return this.#change((now) => {
      if (this.#stores.accounts.get()) return { ok: false, error: 'identifier_taken' }
      const { sub, email, name, phc, user_agent, carry } = made
      const account = { sub, email, name, roles: [], ver: 1, created_at: now, banned_at: null }
      this.#stores.accounts.insert(account)
      this.#stores.passwords.set(sub, phc, now)
      const started = startSession(this.#stores, account, { ...PASSWORD_FACTS, user_agent }, carry, now)
      return { ok: true, started, device: randomId() }
    })
  }

  exists(): boolean {
    return this.#stores.accounts.get() !== null
  }

  async beginSignIn(device: string | null): Promise<BegunSignIn> {
    const begun = this.#change((_, nowMs) => beginSignIn(this.#stores, device, nowMs))
    // A decoy holds nothing but its counter, and deletes itself when that has expired.
    if (!this.#stores.accounts.get()) await this.ctx.storage.setAlarm(Date.now() + ATTEMPT_MEMORY * 1000)
    return begun
  }

  async signIn(tried: { device: string | null; digest: string; user_agent: string; carry: Carry }): Promise<SignedIn> {
    const signedIn = this.#change((_, nowMs) => finishSignIn(this.#stores, tried, nowMs))
    if (signedIn.ok) await this.#deliver()
    return signedIn
  }

  /** Replaces the hash of a password that was just proven right with one of today's parameters. */
  rehash(digestBefore: string, phc: string): void {
    this.#change((now) => {
      const account = this.#stores.accounts.get()
      if (account && this.#stores.passwords.get() === digestBefore) this.#stores.passwords.set(account.sub, phc, now)
    })
  }

  /** Who is signed in. Slides a cookie session's idle limit, with at most one row written every 10 minutes. */
  session(proof: SessionProof): CurrentSession | UnprovenSession {
    return this.#proven(proof, ({ account, session }, now) => ({
      ok: true,
      person: personOf(account),
      session: factsOf(this.#touch(session, proof, now)),
    }))
  }

  sessions(proof: SessionProof): { ok: true; sessions: ListedSession[] } | UnprovenSession {
    return this.#proven(proof, (_, now) => ({ ok: true, sessions: listSessions(this.#stores, proof, now) }))
  }

  /** The hybrid: a session vouches for a short-lived token. No row is written but the sliding one. */
  mintToken(proof: SessionProof, ask: { aud: string; scope: string }): { ok: true; token: TokenGrant } | UnprovenSession {
    return this.#proven(proof, ({ account, session }, now) => {
      const end = sessionEnd(this.#touch(session, proof, now))
      return { ok: true, token: grantToken(account, session, { ...ask, jti: randomId(), client_id: FIRST_PARTY_CLIENT_ID, end }, now) }
    })
  }

  /** The `live` answer about an access token whose signature has been checked. */
  check({ sid, ver }: { sid: string; ver: number }): { active: true } | { active: false; error: 'outdated' | 'revoked' } {
    return this.#change((now) => {
      const proven = proveSession(this.#stores, { kind: 'token', sid, ver }, now)
      if (proven.ok) return { active: true }
      return { active: false, error: proven.error === 'outdated' ? 'outdated' : 'revoked' }
    })
  }

  async rotateRefreshToken(presented: Presented): Promise<Refreshed> {
    const refreshed = this.#change((now) => refresh(this.#stores, presented, now))
    if (!refreshed.ok && refreshed.reason === 'reuse') await this.#deliver()
    return refreshed
  }

  async signOut(what: SignOut): Promise<Ended | { ok: false; error: 'no_session' }> {
    const known = this.#change((now) => signOut(this.#stores, what, now))
    return known ? this.#ended() : { ok: false, error: 'no_session' }
  }

  async endSession(proof: SessionProof, sid: string): Promise<Ended | UnprovenSession | { ok: false; error: 'not_found' }> {
    const ended = this.#proven(proof, (_, now) => {
      if (!this.#stores.sessions.get(sid)) return { ok: false as const, error: 'not_found' as const }
      endSession(this.#stores, sid, now)
      return { ok: true as const }
    })
    return ended.ok ? this.#ended() : ended
  }

  async endEverySession(proof: SessionProof): Promise<Ended | UnprovenSession> {
    const ended = this.#proven(proof, ({ account }, now) => {
      lifecycle.endEverything(this.#stores, account, null, now)
      return { ok: true as const }
    })
    return ended.ok ? this.#ended() : ended
  }

  /** Counts a try at the current password and answers how to hash it. Its counter is the session's own: no stranger can fill it. */
  beginPasswordChange(
    proof: SessionProof,
  ): (Extract<BegunSignIn, { ok: true }> & { person: Person }) | Extract<BegunSignIn, { ok: false }> | UnprovenSession {
    return this.#proven(proof, ({ account, session }, _, nowMs) => {
      const begun = beginTry(this.#stores, session.sid, nowMs)
      return begun.ok ? { ...begun, person: personOf(account) } : begun
    })
  }

  /** The session that changes the password lives on; every other one ends, and every access token is outdated. */
  async changePassword(
    proof: SessionProof,
    digest: string,
    phc: string,
  ): Promise<Ended | UnprovenSession | { ok: false; error: 'wrong_password' }> {
    const changed = this.#proven(proof, ({ account, session }, now, nowMs) => {
      if (!settleTry(this.#stores, session.sid, digest, nowMs)) return { ok: false as const, error: 'wrong_password' as const }
      this.#stores.passwords.set(account.sub, phc, now)
      lifecycle.endEverything(this.#stores, account, session.sid, now)
      this.#stores.outbox.add({ target: 'mail', body: passwordChangedNotice(account.email) }, now)
      return { ok: true as const }
    })
    return changed.ok ? this.#ended() : changed
  }

  /** For operators. Null: no account here. */
  describe(): (Person & { banned: boolean }) | null {
    const account = this.#stores.accounts.get()
    return account && { ...personOf(account), banned: account.banned_at !== null }
  }

  ban(): Promise<Ended | null> {
    return this.#operate((account, now) => lifecycle.ban(this.#stores, account, now))
  }

  unban(): Promise<Ended | null> {
    return this.#operate((account) => lifecycle.unban(this.#stores, account))
  }

  setRoles(roles: readonly string[]): Promise<Ended | null> {
    return this.#operate((account, now) => lifecycle.setRoles(this.#stores, account, roles, now))
  }

  endAll(): Promise<Ended | null> {
    return this.#operate((account, now) => lifecycle.endEverything(this.#stores, account, null, now))
  }

  override async alarm(): Promise<void> {
    if (this.#stores.accounts.get()) {
      await this.#deliver()
      return
    }
    await this.ctx.storage.deleteAll()
    this.#opened = null
  }

  async #operate(act: (account: AccountRow, now: number) => void): Promise<Ended | null> {
    const found = this.#change((now) => {
      const account = this.#stores.accounts.get()
      if (account) act(account, now)
      return account !== null
    })
    return found ? this.#ended() : null
  }

  async #ended(): Promise<Ended> {
    return { ok: true, denied: await this.#deliver() }
  }

  #proven<T>(proof: SessionProof, act: (proven: ProvenSession, now: number, nowMs: number) => T): T | UnprovenSession {
    return this.#change((now, nowMs) => {
      const proven = proveSession(this.#stores, proof, now)
      return proven.ok ? act(proven, now, nowMs) : proven
    })
  }

  #touch(session: ProvenSession['session'], proof: SessionProof, now: number): ProvenSession['session'] {
    if (proof.kind !== 'cookie' || now < session.seen_at + TOUCH_SECONDS) return session
    this.#stores.sessions.touch(session.sid, now)
    return { ...session, seen_at: now }
  }

  /** Read, decide, write: one synchronous transaction. A letter it leaves in the outbox gets an alarm in the same write. */
  #change<T>(decide: (now: number, nowMs: number) => T): T {
    const nowMs = Date.now()
    this.#wroteLetter = false
    const answer = this.ctx.storage.transactionSync(() => decide(Math.floor(nowMs / 1000), nowMs))
    if (this.#wroteLetter) void this.ctx.storage.setAlarm(nowMs + FIRST_RETRY_MS)
    return answer
  }

  async #deliver(): Promise<boolean> {
    const { outbox } = this.#stores
    const { denied, empty } = await deliver(this.env, outbox)
    if (!empty) await this.ctx.storage.setAlarm(Date.now() + retryDelay(outbox.pending(1), Date.now()))
    return denied
  }
}

function openStores(sql: SqlStorage, mailer: boolean, onLetter: () => void) {
  const outbox = outboxStore(sql)
  const add: OutboxStore['add'] = (letter, now) => {
    // Without a mailer nobody would ever take a mail out of the outbox.
    if (letter.target === 'mail' && !mailer) return
    outbox.add(letter, now)
    onLetter()
  }
  return {
    accounts: accountStore(sql),
    passwords: passwordStore(sql),
    attempts: attemptStore(sql),
    sessions: sessionStore(sql),
    families: familyStore(sql),
    outbox: { ...outbox, add },
  }
}
