import type { Env } from '../env.ts'
import { ATTEMPT_MEMORY } from '../login/attempts.ts'
import { type ProvenSession, proveSession, type SessionProof, type UnprovenSession } from '../sessions/prove.ts'
import { isMigrated, migrate } from '../storage/migrate.ts'
import init from '../storage/schema/account/0001-init.sql'
import oauth from '../storage/schema/account/0002-oauth.sql'
import consent from '../storage/schema/account/0003-consent-audience.sql'
import successor from '../storage/schema/account/0004-successor.sql'
import { type AccountStores, openStores } from './account-stores.ts'
import { deliver, FIRST_RETRY_MS, retryDelay } from './delivery.ts'

const MIGRATIONS = [
  { id: '0001-init', sql: init },
  { id: '0002-oauth', sql: oauth },
  { id: '0003-consent-audience', sql: consent },
  { id: '0004-successor', sql: successor },
]

const SWEEP_SECONDS = 3600

/** The database of one account: its stores, the one way to change them, and the outbox's delivery. */
export class AccountDatabase {
  readonly #ctx: DurableObjectState
  readonly #env: Env
  #opened: AccountStores | null = null
  #wroteLetter = false
  #sweptAt = 0

  constructor(ctx: DurableObjectState, env: Env) {
    this.#ctx = ctx
    this.#env = env
  }

  // Not in the constructor: an object that is only asked about, and holds nothing, stores nothing.
  get stores(): AccountStores {
    if (!this.#opened) {
      migrate(this.#ctx.storage, MIGRATIONS)
      this.#opened = openStores(this.#ctx.storage.sql, this.#env.SALLYPORT_ENV === 'development', () => {
        this.#wroteLetter = true
      })
    }
    return this.#opened
  }

  /** Whether anything was ever stored here; asked where somebody may name an account that does not exist. */
  get isMade(): boolean {
    return this.#opened !== null || isMigrated(this.#ctx.storage)
  }

  /** Read, decide, write: one synchronous transaction. A letter it leaves in the outbox gets an alarm in the same write. */
  change<T>(decide: (now: number, nowMs: number) => T): T {
    const nowMs = Date.now()
    this.#wroteLetter = false
    const answer = this.#ctx.storage.transactionSync(() => decide(Math.floor(nowMs / 1000), nowMs))
    if (this.#wroteLetter) void this.#ctx.storage.setAlarm(nowMs + FIRST_RETRY_MS)
    return answer
  }

  proven<T>(proof: SessionProof, act: (proven: ProvenSession, now: number, nowMs: number) => T): T | UnprovenSession {
    return this.change((now, nowMs) => {
      const proven = proveSession(this.stores, proof, now)
      return proven.ok ? act(proven, now, nowMs) : proven
    })
  }

  /** Hands over what the outbox holds; answers whether no denial is left in it. */
  async deliver(): Promise<boolean> {
    const { outbox } = this.stores
    const { denied, empty } = await deliver(this.#env, outbox)
    if (!empty) await this.#ctx.storage.setAlarm(Date.now() + retryDelay(outbox.pending(1), Date.now()))
    return denied
  }

  /** Forgets what ended or expired long ago: not at every sign-in, for it reads every session. */
  sweep(now: number): void {
    if (now < this.#sweptAt + SWEEP_SECONDS) return
    this.#sweptAt = now
    const { sessions, families, attempts, codes, revokedTokens } = this.stores
    sessions.sweep(now)
    families.sweep(now)
    attempts.sweep((now - ATTEMPT_MEMORY) * 1000)
    codes.sweep(now)
    revokedTokens.sweep(now)
  }

  /** A decoy holds nothing but counters, and empties itself when they have expired. */
  async expireDecoy(): Promise<void> {
    if (this.stores.accounts.get() || (await this.#ctx.storage.getAlarm()) !== null) return
    await this.#ctx.storage.setAlarm(Date.now() + ATTEMPT_MEMORY * 1000)
  }

  async clearDecoy(): Promise<void> {
    if (this.stores.attempts.sweep(Date.now() - ATTEMPT_MEMORY * 1000) > 0) {
      await this.#ctx.storage.setAlarm(Date.now() + ATTEMPT_MEMORY * 1000)
      return
    }
    // First: who comes while it is deleted opens it anew.
    this.#opened = null
    await this.#ctx.storage.deleteAll()
  }
}
