import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'
import type { Denial } from '../protocol/denial.ts'
import { encodeFeed, encodeSegments, formatCursor, parseCursor } from '../protocol/feed.ts'
import { listStore } from '../revocation/list-store.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/revocation-list/0001-init.sql'

/** A row holds at most 2 MB; 50,000 denials take less than 1 MB. */
const BATCH_DENIALS = 50_000
/** Expired batches are forgotten this often. Nothing depends on it but space. */
const SWEEP_MS = 300_000

type Log = { epoch: string; epochStart: number; key: Uint8Array }

/**
 * The one writer of the revocation list: an ordered log of live denials, answered as changes since a cursor. `add` answers when its batch
 * is durable (the output gate holds the reply until then), and only then may a revocation be acknowledged.
 */
export class RevocationList extends DurableObject<Env> {
  readonly #list
  readonly #log: Log
  #sequence: number
  #sweepDue = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#list = listStore(ctx.storage.sql)
    this.#log = ctx.storage.transactionSync(() => this.#begin())
    this.#sequence = this.#list.lastSequence()
  }

  #begin(): Log {
    const stored = this.#list.log() ?? {
      epoch: crypto.getRandomValues(new Uint8Array(8)).buffer,
      // The first log of a deployment has lost nothing: no token is older than it. A log that follows a loss says when it began.
      started_ms: 0,
      prefix_key: crypto.getRandomValues(new Uint8Array(16)).buffer,
    }
    if (!this.#list.log()) this.#list.begin(stored)
    const epoch = Array.from(new Uint8Array(stored.epoch), (byte) => byte.toString(16).padStart(2, '0')).join('')
    return { epoch, epochStart: stored.started_ms, key: new Uint8Array(stored.prefix_key) }
  }

  /** Adds denials; adding one twice does no harm, readers merge. Answers the cursor at which a reader has them. */
  add(denials: readonly Denial[]): string {
    this.ctx.storage.transactionSync(() => {
      for (let at = 0; at < denials.length; at += BATCH_DENIALS) {
        const batch = denials.slice(at, at + BATCH_DENIALS)
        const lastEnd = batch.reduce((latest, denial) => Math.max(latest, denial.end), 0)
        this.#list.append(this.#sequence + 1, lastEnd, encodeSegments(this.#log.key, batch).buffer)
        this.#sequence += 1
      }
    })
    if (!this.#sweepDue) {
      this.#sweepDue = true
      void this.ctx.storage.setAlarm(Date.now() + SWEEP_MS)
    }
    return formatCursor({ epoch: this.#log.epoch, sequence: this.#sequence })
  }

  /** The changes since a cursor, or all that is live for a reader who has none (of this log). The form is protocol/feed.ts. */
  feed(after: string | null): ArrayBuffer {
    const asOf = Date.now()
    const cursor = after === null ? null : parseCursor(after)
    const known = cursor !== null && cursor.epoch === this.#log.epoch && cursor.sequence <= this.#sequence
    const segments =
      known && cursor.sequence === this.#sequence ? [] : this.#list.after(known ? cursor.sequence : 0, Math.floor(asOf / 1000))
    return encodeFeed({ ...this.#log, snapshot: !known, asOf, sequence: this.#sequence }, segments).buffer
  }

  override async alarm(): Promise<void> {
    this.#sweepDue = this.#list.sweep(Math.floor(Date.now() / 1000))
    if (this.#sweepDue) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS)
  }
}
