import { DurableObject } from 'cloudflare:workers'
import type { AccountRow } from '../accounts/account.ts'
import * as lifecycle from '../accounts/lifecycle.ts'
import { passwordChangedNotice } from '../accounts/notices.ts'
import type { Env } from '../env.ts'
import {
  type BegunSignIn,
  beginSignIn,
  beginTry,
  finishSignIn,
  forgiveTry,
  PASSWORD_FACTS,
  type SignedIn,
  settleTry,
  type Trier,
} from '../login/sign-in.ts'
import { type AuthorizationAsk, type Authorized, authorize } from '../oauth/authorize.ts'
import { type PresentedCode, type Redeemed, redeemCode } from '../oauth/redeem-code.ts'
import { type AskedRefreshToken, describeRefreshToken, revokeRefreshToken, type ShownRefreshToken } from '../oauth/refresh-token.ts'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { denyToken } from '../revocation/denials.ts'
import { endSession, type SignOut, signOut } from '../sessions/end.ts'
import { type ListedSession, listSessions } from '../sessions/list.ts'
import { judgeToken, ownsSession, type ProvenSession, type SessionProof, type UnprovenSession } from '../sessions/prove.ts'
import { proveToken, type TokenIds } from '../sessions/prove-token.ts'
import { type Presented, type Refreshed, refresh } from '../sessions/refresh.ts'
import { factsOf, grantToken, sessionEnd, TOUCH_SECONDS, type TokenGrant } from '../sessions/session.ts'
import { type Carry, startSession } from '../sessions/start.ts'
import { randomId } from '../tokens/random-id.ts'
import { type Created, type CurrentSession, type Ended, type NewAccount, type Person, personOf } from './account-answers.ts'
import { AccountDatabase } from './account-database.ts'
import { requireMembers } from './require-members.ts'

/** How long the repeat of a change of password is recognised as one. */
const REPEAT_SECONDS = 600

/**
 * One account, or the decoy of an address that has none. Each method is one intent: the clock is read once, one synchronous transaction
 * reads, decides and writes, and whoever else must know is told through the outbox.
 */
export class Account extends DurableObject<Env> {
  readonly #database: AccountDatabase

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    this.#database = new AccountDatabase(ctx, env)
  }

  get #stores() {
    return this.#database.stores
  }

  /** Makes the account and its first session, if there is none; of many who try at once, one does. */
  async create(made: NewAccount): Promise<Created> {
    return this.#database.change((now) => {
      if (this.#stores.accounts.get()) return { ok: false, error: 'identifier_taken' }
      const { sub, email, name, phc, user_agent, carry } = made
      const account = { sub, email, name, roles: [], ver: 1, created_at: now, banned_at: null }
      this.#stores.accounts.insert(account)
      this.#stores.passwords.set(sub, phc, now)
      const started = startSession(this.#stores, account, { ...PASSWORD_FACTS, user_agent }, carry, now)
      return { ok: true, started, device: { id: randomId(), issued_at: now } }
    })
  }

  exists(): boolean {
    return this.#stores.accounts.get() !== null
  }

  async beginSignIn(trier: Trier): Promise<BegunSignIn> {
    const begun = this.#database.change((_, nowMs) => beginSignIn(this.#stores, trier, nowMs))
    if (begun.ok) await this.#database.expireDecoy()
    return begun
  }

  async signIn(tried: { trier: Trier; digest: string; user_agent: string; carry: Carry }): Promise<SignedIn> {
    const signedIn = this.#database.change((now, nowMs) => {
      this.#database.sweep(now)
      return finishSignIn(this.#stores, tried, nowMs)
    })
    // Nobody waits for what a sign-in leaves in the outbox; the alarm has it.
    if (signedIn.ok) this.ctx.waitUntil(this.#database.deliver())
    else await this.#database.expireDecoy()
    return signedIn
  }

  /** Replaces the hash of a password that was just proven right with one of today's parameters. */
  rehash(before: string, phc: string): void {
    this.#database.change(() => {
      if (this.#stores.passwords.get() === before) this.#stores.passwords.rehash(phc)
    })
  }

  /** Who is signed in. Slides a cookie session's idle limit, with at most one row written every 10 minutes. */
  session(proof: SessionProof): CurrentSession | UnprovenSession {
    return this.#database.proven(proof, ({ account, session }, now) => ({
      ok: true,
      person: personOf(account),
      session: factsOf(this.#touch(session, proof, now)),
    }))
  }

  sessions(proof: SessionProof): { ok: true; sessions: ListedSession[] } | UnprovenSession {
    return this.#database.proven(proof, (_, now) => ({ ok: true, sessions: listSessions(this.#stores, proof, now) }))
  }

  /** The hybrid: a session vouches for a short-lived token. No row is written but the sliding one. */
  mintToken(proof: SessionProof, ask: { aud: string; scope: string }): { ok: true; token: TokenGrant } | UnprovenSession {
    return this.#database.proven(proof, ({ account, session }, now) => {
      const end = sessionEnd(this.#touch(session, proof, now))
      return { ok: true, token: grantToken(account, session, { ...ask, jti: randomId(), client_id: FIRST_PARTY_CLIENT_ID, end }, now) }
    })
  }

  /**
   * The `live` answer about an access token whose signature has been checked; `ver` is the token's. Asked more often than all else: one
   * look at what is stored and no transaction, for nothing is written; never from memory, for a replaced instance would go on believing it.
   */
  check(sid: string, ver: number): 'active' | 'outdated' | 'revoked' {
    return judgeToken(this.#stores.sessions.standing(sid), ver, Math.floor(Date.now() / 1000))
  }

  /** The same about a token of an OAuth client, which hangs on its grant as well. */
  checkGrant(ids: TokenIds): 'active' | 'outdated' | 'revoked' {
    if (ids.sid === undefined && ids.grant_id === undefined) return 'revoked'
    return judgeToken(this.#stores.families.standing(ids), ids.ver, Math.floor(Date.now() / 1000))
  }

  /** Whose access token it is, while it is good. */
  owner(ids: TokenIds): { ok: true; person: Person } | { ok: false; error: 'outdated' | 'revoked' } {
    const proven = this.#database.change((now) => proveToken(this.#stores, ids, now))
    return proven.ok ? { ok: true, person: personOf(proven.account) } : proven
  }

  /** Gives a client a code for this session, or says what must come first. */
  authorize(ask: AuthorizationAsk): Authorized {
    return this.#database.change((now) => authorize(this.#stores, requireMembers(ask, 'anew', 'before'), now))
  }

  /** Counts a try at the user code of a device: there are 2^34, and a person types one. The counter is the session's own. */
  countUserCode(proof: SessionProof): BegunSignIn | UnprovenSession {
    return this.#database.proven(proof, ({ session }, _, nowMs) => beginTry(this.#stores, `device:${session.sid}`, nowMs))
  }

  /** The try that was counted last was right. Wrong ones before it still count: anybody can get a right code, of a device of their own. */
  foundUserCode(proof: SessionProof): void {
    this.#database.proven(proof, ({ session }) => forgiveTry(this.#stores, `device:${session.sid}`))
  }

  /** One presentation of a code. A replay has ended what the first one gave, and the list knows when this answers. */
  async redeemCode(presented: PresentedCode): Promise<Redeemed> {
    const redeemed = this.#database.change((now) => {
      this.#database.sweep(now)
      return redeemCode(this.#stores, requireMembers(presented, 'allowed'), now)
    })
    if (!redeemed.ok && redeemed.reason === 'replayed') await this.#database.deliver()
    return redeemed
  }

  describeRefreshToken(shown: AskedRefreshToken) {
    if (!this.#database.isMade) return { active: false as const }
    return this.#database.change((now) => describeRefreshToken(this.#stores, requireMembers(shown, 'allowed'), now))
  }

  /** Ends the family of a client's refresh token; whatever else is shown changes nothing, and is answered alike. */
  async revokeRefreshToken(shown: ShownRefreshToken): Promise<Ended> {
    if (this.#database.isMade) this.#database.change((now) => revokeRefreshToken(this.#stores, shown, now))
    return this.#ended()
  }

  /** Denies one access token, whose signature has been checked. */
  async revokeToken({ jti, exp }: { jti: string; exp: number }): Promise<Ended> {
    this.#database.change((now) => {
      const { revokedTokens, outbox } = this.#stores
      if (revokedTokens.has(jti)) return
      const denial = denyToken(jti, exp)
      revokedTokens.add(jti, denial.end)
      outbox.add({ target: 'denial', body: denial }, now)
    })
    return this.#ended()
  }

  async rotateRefreshToken(presented: Presented): Promise<Refreshed> {
    const refreshed = this.#database.change((now) => refresh(this.#stores, requireMembers(presented, 'allowed'), now))
    if (!refreshed.ok && refreshed.reason === 'reuse') await this.#database.deliver()
    return refreshed
  }

  async signOut(what: SignOut): Promise<Ended | { ok: false; error: 'no_session' }> {
    const known = this.#database.change((now) => signOut(this.#stores, what, now))
    return known ? this.#ended() : { ok: false, error: 'no_session' }
  }

  async endSession(proof: SessionProof, sid: string): Promise<Ended | UnprovenSession | { ok: false; error: 'not_found' }> {
    const ended = this.#database.proven(proof, (_, now) => {
      if (!this.#stores.sessions.get(sid)) return { ok: false as const, error: 'not_found' as const }
      endSession(this.#stores, sid, now)
      return { ok: true as const }
    })
    if (ended.ok || (proof.sid === sid && this.#owned(proof))) return this.#ended()
    return ended
  }

  async endEverySession(proof: SessionProof): Promise<Ended | UnprovenSession> {
    const ended = this.#database.proven(proof, ({ account }, now) => {
      lifecycle.endEverything(this.#stores, account, null, now)
      return { ok: true as const }
    })
    if (ended.ok || (this.#owned(proof) && this.#stores.sessions.open().length === 0)) return this.#ended()
    return ended
  }

  /** Whether a proof names a session that has ended: the repeat of a request that ended it must be told how that came out. */
  #owned(proof: SessionProof): boolean {
    const session = this.#stores.sessions.get(proof.sid)
    if (!session || session.ended_at === null) return false
    return proof.kind === 'token' || ownsSession(session, proof.secret)
  }

  /** Counts a try at the current password and answers how to hash it. Its counter is the session's own: no stranger can fill it. */
  beginPasswordChange(proof: SessionProof): BegunSignIn | UnprovenSession {
    return this.#database.proven(proof, ({ session }, _, nowMs) => beginTry(this.#stores, session.sid, nowMs))
  }

  /** Whether this password was just chosen: the repeat of a change whose reply was lost brings the old one as the current one. */
  async confirmPassword(proof: SessionProof, digest: string): Promise<(Ended & { changed_at: number }) | { ok: false }> {
    const chosen = this.#database.proven(proof, ({ session }, now, nowMs) => {
      const changed_at = this.#stores.passwords.row()?.changed_at ?? 0
      const recent = now - changed_at <= REPEAT_SECONDS
      return recent && settleTry(this.#stores, session.sid, digest, nowMs) ? { ok: true as const, changed_at } : { ok: false as const }
    })
    return chosen.ok ? { ...(await this.#ended()), changed_at: chosen.changed_at } : { ok: false }
  }

  /** The session that changes the password lives on; every other one ends, and every access token is outdated. */
  async changePassword(
    proof: SessionProof,
    digest: string,
    phc: string,
  ): Promise<(Ended & { changed_at: number }) | UnprovenSession | { ok: false; error: 'wrong_password' }> {
    const changed = this.#database.proven(proof, ({ account, session }, now, nowMs) => {
      if (!settleTry(this.#stores, session.sid, digest, nowMs)) return { ok: false as const, error: 'wrong_password' as const }
      this.#stores.passwords.set(account.sub, phc, now)
      lifecycle.endEverything(this.#stores, account, session.sid, now)
      this.#stores.outbox.add({ target: 'mail', body: passwordChangedNotice(account.email) }, now)
      return { ok: true as const, changed_at: now }
    })
    return changed.ok ? { ...(await this.#ended()), changed_at: changed.changed_at } : changed
  }

  /** For operators. Null: no account here. */
  describe(): (Person & { banned: boolean }) | null {
    const account = this.#database.isMade ? this.#stores.accounts.get() : null
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
      await this.#database.deliver()
      return
    }
    await this.#database.clearDecoy()
  }

  async #operate(act: (account: AccountRow, now: number) => void): Promise<Ended | null> {
    if (!this.#database.isMade) return null
    const found = this.#database.change((now) => {
      const account = this.#stores.accounts.get()
      if (account) act(account, now)
      return account !== null
    })
    return found ? this.#ended() : null
  }

  async #ended(): Promise<Ended> {
    return { ok: true, denied: await this.#database.deliver() }
  }

  #touch(session: ProvenSession['session'], proof: SessionProof, now: number): ProvenSession['session'] {
    if (proof.kind !== 'cookie' || now < session.seen_at + TOUCH_SECONDS) return session
    this.#stores.sessions.touch(session.sid, now)
    return { ...session, seen_at: now }
  }
}
