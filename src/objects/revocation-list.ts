import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'
import type { Denial } from '../protocol/denial.ts'
import { encodeFeed, entriesOf, FEED_HEADER_BYTES, formatCursor, parseCursor } from '../protocol/feed.ts'
import { ListStore, type Position } from '../revocation/list-store.ts'
import { type Packed, packEntries } from '../revocation/packing.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/revocation-list/0001-init.sql'
import tail from '../storage/schema/revocation-list/0002-tail.sql'

/** One step of the log. A row holds at most 2 MB; 50,000 denials take less than 1 MB. */
const STEP_DENIALS = 50_000
/** What has ended is forgotten this often, a bounded part at a time. Nothing depends on it but space. */
const SWEEP_MS = 300_000
const NEXT_PART_MS = 1000
/** Anybody may read the feed; so many of them may hold a socket. The rest poll. */
export const MAX_SOCKETS = 256
/**
 * What is longer is polled for: sockets that do not read would keep it in this object's memory, each its own. A reader that was told to
 * come back later does so with the cursor that its poll brought.
 */
const MAX_MESSAGE_BYTES = 1024 * 1024
/**
 * A socket that asks for much again and again is closed. Counted are the bytes of denials that it asked for, because a very old cursor brings
 * as much as none; a snapshot counts as the largest message. What is pushed, and an answer without news, costs nothing.
 */
const MAX_ASKED_BYTES = 8 * MAX_MESSAGE_BYTES

type Log = { epoch: string; epochStart: number; key: Uint8Array }

/**
 * The one writer of the revocation list: an ordered log of live denials, answered as changes since a cursor. `add` answers when its batch
 * is durable (the output gate holds the reply until then), and only then may a revocation be acknowledged.
 */
export class RevocationList extends DurableObject<Env> {
  readonly #list
  #log: Log
  #position: Position
  #sweepDue = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [
      { id: '0001-init', sql: init },
      { id: '0002-tail', sql: tail },
    ])
    this.#list = new ListStore(ctx.storage.sql)
    this.#log = ctx.storage.transactionSync(() => this.#begin())
    this.#position = this.#list.position()
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
    const now = Math.floor(Date.now() / 1000)
    const steps: Packed[] = []
    for (let at = 0; at < denials.length; at += STEP_DENIALS) {
      const step = packEntries(entriesOf(this.#log.key, denials.slice(at, at + STEP_DENIALS)))
      if (step) steps.push(step)
    }
    const before = this.#newest()
    this.#position = this.ctx.storage.transactionSync(() =>
      steps.reduce((position, step) => this.#list.append(position, step, now), before),
    )
    // After the transaction: a step that was rolled back must not have been sent, for its number will be another's.
    steps.forEach((step, at) => {
      this.#push(before.last + 1 + at, step.segments)
    })
    if (!this.#sweepDue) {
      this.#sweepDue = true
      void this.#scheduleSweep()
    }
    return formatCursor({ epoch: this.#log.epoch, sequence: this.#position.last })
  }

  /**
   * After a restore from a backup: whatever was added since is lost, so everything that this list says of the time until now is in doubt.
   * A new epoch tells every reader so (they keep what they know, and ask `live` for tokens older than it). The denials that are left, and
   * the key that their prefixes are under, stay. `epoch` is the new one's name, 16 lower-case hex digits (else RangeError); a repeated call
   * changes nothing.
   */
  renewEpoch(epoch: string): { epoch: string; epochStart: number } {
    if (parseCursor(`${epoch}.0`) === null) throw new RangeError('an epoch is 16 lower-case hex digits')
    if (epoch !== this.#log.epoch) {
      const epochStart = Date.now()
      const bytes = new DataView(new ArrayBuffer(8))
      bytes.setBigUint64(0, BigInt(`0x${epoch}`))
      this.#list.renew(bytes.buffer, epochStart)
      this.#log = { ...this.#log, epoch, epochStart }
    }
    return { epoch, epochStart: this.#log.epochStart }
  }

  /** An eviction is no reason to begin anew: a list that wakes for each denial would never come to its sweep. */
  async #scheduleSweep(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS)
  }

  /**
   * The position, with a look into storage: an instance that has been replaced without noticing fails here instead of answering old news.
   */
  #newest(): Position {
    if (!this.#list.isNewest(this.#position)) this.#position = this.#list.position()
    return this.#position
  }

  /** One step of the log to every socket. Nobody waits for them; the output gate holds the messages back until the step is durable. */
  #push(sequence: number, segments: Uint8Array): void {
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    const message = encodeFeed({ ...this.#log, snapshot: false, asOf: Date.now(), sequence }, [segments])
    for (const socket of sockets) trySend(socket, message)
  }

  /** `GET /revocations` with an upgrade: the feed at once, an answer to every cursor sent, and each step as it happens. */
  override fetch(request: Request): Response {
    if (this.ctx.getWebSockets().length >= MAX_SOCKETS) return new Response(null, { status: 503, headers: { 'Retry-After': '5' } })
    const { 0: client, 1: server } = new WebSocketPair()
    this.ctx.acceptWebSocket(server)
    this.webSocketMessage(server, new URL(request.url).searchParams.get('after') ?? '')
    return new Response(null, { status: 101, webSocket: client })
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const asked = Number(socket.deserializeAttachment() ?? 0)
    const cursor = message === '' ? null : typeof message === 'string' && parseCursor(message) ? message : undefined
    if (cursor === undefined || asked >= MAX_ASKED_BYTES) {
      socket.close(1008, 'send a cursor')
      return
    }
    const { known, bytes } = this.#answer(cursor)
    if (bytes.length > MAX_MESSAGE_BYTES) {
      socket.close(1013, 'poll first')
      return
    }
    const cost = known ? bytes.length - FEED_HEADER_BYTES : MAX_MESSAGE_BYTES
    if (cost > 0) socket.serializeAttachment(asked + cost)
    trySend(socket, bytes)
  }

  override webSocketClose(socket: WebSocket): void {
    socket.close()
  }

  /** The changes since a cursor, or all that is live for a reader who has none (of this log). The form is protocol/feed.ts. */
  feed(after: string | null): ArrayBuffer {
    return this.#answer(after).bytes.buffer
  }

  #answer(after: string | null): { known: boolean; bytes: Uint8Array<ArrayBuffer> } {
    const asOf = Date.now()
    const position = this.#newest()
    const sequence = position.last
    const cursor = after === null ? null : parseCursor(after)
    const known = cursor !== null && cursor.epoch === this.#log.epoch && cursor.sequence <= sequence
    const segments = this.#list.after(position, known ? cursor.sequence : 0, Math.floor(asOf / 1000))
    return { known, bytes: encodeFeed({ ...this.#log, snapshot: !known, asOf, sequence }, segments) }
  }

  override async alarm(): Promise<void> {
    const left = this.ctx.storage.transactionSync(() => this.#list.sweep(Math.floor(Date.now() / 1000)))
    this.#sweepDue = left !== 'done'
    if (left !== 'done') await this.ctx.storage.setAlarm(Date.now() + (left === 'more' ? NEXT_PART_MS : SWEEP_MS))
  }
}

/** A socket that is closing takes nothing more; its owner will ask again. */
function trySend(socket: WebSocket, message: Uint8Array<ArrayBuffer>): void {
  try {
    socket.send(message)
  } catch {
    socket.close(1011)
  }
}
