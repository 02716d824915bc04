import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'
import { type ReplayStore, replayStore } from '../oauth/replay-store.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/replay-memory/0001-init.sql'

/** Seconds that a proof is kept past its expiry, so that a clock which is set back by less lets nothing pass twice. */
const MARGIN = 60

/**
 * Which one-time proofs of one maker have been seen: `assertion:<client_id>` (RFC 7523, 3) or `dpop:<jkt>` (RFC 9449, 11.1). It holds what
 * is still good, and nothing once that is nothing.
 */
export class ReplayMemory extends DurableObject<Env> {
  #proofs: ReplayStore | null = null
  #isArmed = false

  /**
   * Whether a proof is presented for the first time: exactly one of any number of calls is told so. `digest` is the SHA-256 of its `jti`,
   * `expires_at` (integer seconds) when it will no longer be good; one that has expired is refused, since it may have been forgotten.
   */
  consume(digest: ArrayBuffer, expires_at: number): boolean {
    const now = Math.floor(Date.now() / 1000)
    if (expires_at <= now) return false
    const proofs = this.#open()
    const isFirst = this.ctx.storage.transactionSync(() => {
      // The alarm is set anew by the first proof since the object woke, and may be put off by that: this one sweeps in its place.
      if (!this.#isArmed) proofs.forget(now - MARGIN)
      return proofs.insert(digest, expires_at, now - MARGIN)
    })
    if (!this.#isArmed) void this.#arm(proofs.latest() ?? expires_at)
    return isFirst
  }

  /** Sweeps. It may come as late as it likes: what it removes has expired, and is refused for that. */
  override async alarm(): Promise<void> {
    const proofs = this.#open()
    proofs.forget(Math.floor(Date.now() / 1000) - MARGIN)
    const latest = proofs.latest()
    if (latest !== null) return this.#arm(latest)
    this.#proofs = null
    this.#isArmed = false
    await this.ctx.storage.deleteAll()
  }

  #arm(latest: number): Promise<void> {
    this.#isArmed = true
    return this.ctx.storage.setAlarm((latest + MARGIN + 1) * 1000)
  }

  #open(): ReplayStore {
    if (this.#proofs !== null) return this.#proofs
    migrate(this.ctx.storage, [{ id: '0001-init', sql: init }])
    const proofs = replayStore(this.ctx.storage.sql)
    this.#proofs = proofs
    return proofs
  }
}
