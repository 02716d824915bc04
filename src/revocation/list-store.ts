import { type Packed, packTogether } from './packing.ts'

type Log = { epoch: ArrayBuffer; started_ms: number; prefix_key: ArrayBuffer }

/** Slots of the tail. A reader that is at most a quarter of it behind gets exactly the steps it lacks. */
export const TAIL_STEPS = 4096
/** Bytes of the tail at which its older part is packed, however few steps it has. */
const TAIL_BYTES = 256 * 1024
/** A step of this size is a row of the base at once. */
const LARGE_BYTES = 2048
/** What one sweep forgets, and what it packs anew: both are bounded, so that nobody waits long behind it. */
const SWEEP_ROWS = 512
const SWEEP_BYTES = 256 * 1024
/** Seconds for which what has ended may stay among what has not: a row is then rewritten once, not with each that ends. */
const TRIM_AFTER = 60

/**
 * Where the log stands: its newest step; the newest one that the tail is not needed for; the bytes in the tail after that one.
 * Kept in memory, because storage has no index that would tell it (an index costs a row written with each step).
 */
export type Position = { readonly last: number; readonly packed: number; readonly bytes: number }

/**
 * The revocation list's log: steps, encoded once when they arrive. The newest are rows of the tail; when that is long, its older part is
 * packed into one row of the base, so a single denial costs little more than one row written, and a snapshot reads a row for thousands.
 *
 * A base row holds steps up to its `sequence`, and packing only ever moves a denial to a higher one. So whoever has all steps up to a
 * cursor needs the rows after it and no others: at worst a part of them is no news, which readers merge.
 */
export class ListStore {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  log(): Log | null {
    return this.#sql.exec<Log>('SELECT epoch, started_ms, prefix_key FROM log').toArray()[0] ?? null
  }

  begin({ epoch, started_ms, prefix_key }: Log): void {
    this.#sql.exec('INSERT INTO log (epoch, started_ms, prefix_key) VALUES (?, ?, ?)', epoch, started_ms, prefix_key)
  }

  /** Another epoch of the same denials under the same key. */
  renew(epoch: ArrayBuffer, startedMs: number): void {
    this.#sql.exec('UPDATE log SET epoch = ?, started_ms = ?', epoch, startedMs)
  }

  /** Reads all of the tail. */
  position(): Position {
    const { packed } = this.#sql.exec<{ packed: number }>('SELECT packed FROM log').one()
    const tail = this.#sql
      .exec<{ last: number; oldest: number | null; bytes: number }>(
        `SELECT coalesce(max(sequence), 0) AS last,
           min(CASE WHEN sequence > ?1 THEN sequence END) AS oldest,
           coalesce(sum(CASE WHEN sequence > ?1 THEN length(segments) END), 0) AS bytes
         FROM tail`,
        packed,
      )
      .one()
    const last = Math.max(tail.last, this.#newestBase(), packed)
    return { last, packed: tail.oldest === null ? last : tail.oldest - 1, bytes: tail.bytes }
  }

  /** Whether storage holds no step after this position. Reads two rows. */
  isNewest({ last }: Position): boolean {
    const next = this.#sql.exec<{ sequence: number }>('SELECT sequence FROM tail WHERE slot = ?', (last + 1) % TAIL_STEPS).toArray()[0]
    return (next?.sequence ?? 0) <= last && this.#newestBase() <= last
  }

  /** Writes the next step, packs when that is due, and answers the position after it. To be called in a transaction. */
  append({ last, packed, bytes }: Position, step: Packed, now: number): Position {
    const sequence = last + 1
    const size = step.segments.length
    if (size >= LARGE_BYTES) {
      this.#insertBase(sequence, step)
      // With nothing in the tail there is nothing to pack.
      return bytes === 0 ? { last: sequence, packed: sequence, bytes } : this.#packIfDue({ last: sequence, packed, bytes }, now)
    }
    this.#sql.exec(
      `INSERT INTO tail (slot, sequence, last_end, segments) VALUES (?, ?, ?, ?)
       ON CONFLICT (slot) DO UPDATE SET sequence = excluded.sequence, last_end = excluded.last_end, segments = excluded.segments`,
      sequence % TAIL_STEPS,
      sequence,
      step.lastEnd,
      step.segments.buffer,
    )
    return this.#packIfDue({ last: sequence, packed, bytes: bytes + size }, now)
  }

  /** What a reader lacks who has all steps up to `sequence`, without the rows that have ended. */
  after({ last, packed }: Position, sequence: number, now: number): Uint8Array[] {
    const base = this.#sql
      .exec<{ segments: ArrayBuffer }>('SELECT segments FROM base WHERE sequence > ? AND last_end >= ?', sequence, now)
      .toArray()
    const tail = this.#tail(Math.max(sequence, packed), last).filter((row) => row.last_end >= now)
    return [...base, ...tail].map((row) => new Uint8Array(row.segments))
  }

  /**
   * Forgets what has ended: whole rows, and from rows that hold other things too. The newest row stays, for it may hold the sequence.
   * Answers whether there is more to do: at once, later, or not.
   */
  sweep(now: number): 'more' | 'later' | 'done' {
    const ended = this.#sql
      .exec<{ sequence: number }>(
        'SELECT sequence FROM base WHERE last_end < ? AND sequence < ? LIMIT ?',
        now,
        this.#newestBase(),
        SWEEP_ROWS,
      )
      .toArray()
    for (const { sequence } of ended) this.#sql.exec('DELETE FROM base WHERE sequence = ?', sequence)
    const mayTrimMore = this.#trim(now)
    if (ended.length === SWEEP_ROWS || mayTrimMore) return 'more'
    return this.#sql.exec('SELECT 1 FROM base LIMIT 2').toArray().length > 1 ? 'later' : 'done'
  }

  #newestBase(): number {
    return this.#sql.exec<{ sequence: number }>('SELECT sequence FROM base ORDER BY sequence DESC LIMIT 1').toArray()[0]?.sequence ?? 0
  }

  #insertBase(sequence: number, { firstEnd, lastEnd, segments }: Packed): void {
    const insert = 'INSERT INTO base (sequence, first_end, last_end, segments) VALUES (?, ?, ?, ?)'
    this.#sql.exec(insert, sequence, firstEnd, lastEnd, segments.buffer)
  }

  /** The tail's rows of the steps after `from` up to `to`; at most one round of the ring. */
  #tail(from: number, to: number): { sequence: number; last_end: number; segments: ArrayBuffer }[] {
    if (to <= from) return []
    const first = (from + 1) % TAIL_STEPS
    const end = to % TAIL_STEPS
    const read = (least: number, most: number) =>
      this.#sql
        .exec<{ sequence: number; last_end: number; segments: ArrayBuffer }>(
          'SELECT sequence, last_end, segments FROM tail WHERE slot BETWEEN ? AND ? AND sequence > ? AND sequence <= ?',
          least,
          most,
          from,
          to,
        )
        .toArray()
    return first <= end ? read(first, end) : [...read(first, TAIL_STEPS - 1), ...read(0, end)]
  }

  /** Packs the older three quarters of a tail that is full. */
  #packIfDue(position: Position, now: number): Position {
    const { last, packed, bytes } = position
    if (last - packed < TAIL_STEPS && bytes < TAIL_BYTES) return position
    const upTo = packed + Math.ceil((last - packed) * 0.75)
    const rows = this.#tail(packed, upTo)
    const pieces = rows.map((row) => new Uint8Array(row.segments))
    const together = packTogether(pieces, now)
    // Named by a step that was in the tail, which no other row of the base is.
    if (together) this.#insertBase(Math.max(...rows.map(({ sequence }) => sequence)), together)
    this.#sql.exec('UPDATE log SET packed = ?', upTo)
    return { last, packed: upTo, bytes: bytes - pieces.reduce((size, piece) => size + piece.length, 0) }
  }

  /** Packs rows of which a part has ended anew, as the newest of them. Answers whether there may be others. */
  #trim(now: number): boolean {
    const found = this.#sql
      .exec<{ sequence: number; bytes: number }>(
        'SELECT sequence, length(segments) AS bytes FROM base WHERE first_end < ? AND last_end >= ? ORDER BY sequence LIMIT ?',
        now - TRIM_AFTER,
        now,
        SWEEP_ROWS,
      )
      .toArray()
    let bytes = 0
    const rows = found.filter((row, at) => {
      bytes += row.bytes
      return at === 0 || bytes <= SWEEP_BYTES
    })
    const pieces = rows.map(({ sequence }) => {
      const { segments } = this.#sql.exec<{ segments: ArrayBuffer }>('SELECT segments FROM base WHERE sequence = ?', sequence).one()
      return new Uint8Array(segments)
    })
    const together = packTogether(pieces, now)
    const newest = rows.at(-1)
    if (together === null || newest === undefined) return false
    for (const { sequence } of rows) this.#sql.exec('DELETE FROM base WHERE sequence = ?', sequence)
    this.#insertBase(newest.sequence, together)
    return rows.length < found.length || found.length === SWEEP_ROWS
  }
}
