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
/** Anybody may read the feed; so many of them may hold a socket. The rest poll. */
export const MAX_SOCKETS = 256
/** A socket that asks for everything again and again is closed: a snapshot can be megabytes. */
const MAX_SNAPSHOTS = 8

type Log = { epoch: string; epochStart: number; key: Uint8Array }

/**
 * The one writer of the revocation list: an ordered log of live denials, answered as changes since a cursor. `add` answers when its batch
 * is durable (the output gate holds the reply until then), and only then may a revocation be acknowledged.
 */
export class RevocationList extends DurableObject<Env> {
  readonly #list
  readonly #log: Log
  #sweepDue = false

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#list = listStore(ctx.storage.sql)
    this.#log = ctx.storage.transactionSync(() => this.#begin())
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
    const sequence = this.ctx.storage.transactionSync(() => {
      let last = this.#list.lastSequence()
      for (let at = 0; at < denials.length; at += BATCH_DENIALS) {
        const batch = denials.slice(at, at + BATCH_DENIALS)
        const lastEnd = batch.reduce((latest, denial) => Math.max(latest, denial.end), 0)
        const segments = encodeSegments(this.#log.key, batch)
        last += 1
        this.#list.append(last, lastEnd, segments.buffer)
        this.#push(last, segments)
      }
      return last
    })
    if (!this.#sweepDue) {
      this.#sweepDue = true
      void this.ctx.storage.setAlarm(Date.now() + SWEEP_MS)
    }
    return formatCursor({ epoch: this.#log.epoch, sequence })
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
    const snapshots = Number(socket.deserializeAttachment() ?? 0)
    const cursor = message === '' ? null : typeof message === 'string' && parseCursor(message) ? message : undefined
    if (cursor === undefined || snapshots >= MAX_SNAPSHOTS) {
      socket.close(1008, 'send a cursor')
      return
    }
    const { known, bytes } = this.#answer(cursor)
    if (!known) socket.serializeAttachment(snapshots + 1)
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
    // Read from storage, not from memory: an instance that has been replaced without noticing fails here instead of answering old news.
    const sequence = this.#list.lastSequence()
    const cursor = after === null ? null : parseCursor(after)
    const known = cursor !== null && cursor.epoch === this.#log.epoch && cursor.sequence <= sequence
    const segments = known && cursor.sequence === sequence ? [] : this.#list.after(known ? cursor.sequence : 0, Math.floor(asOf / 1000))
    return { known, bytes: encodeFeed({ ...this.#log, snapshot: !known, asOf, sequence }, segments) }
  }

  override async alarm(): Promise<void> {
    this.#sweepDue = this.#list.sweep(Math.floor(Date.now() / 1000))
    if (this.#sweepDue) await this.ctx.storage.setAlarm(Date.now() + SWEEP_MS)
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
