type Log = { epoch: ArrayBuffer; started_ms: number; prefix_key: ArrayBuffer }

/** The revocation list's log: batches of denials, encoded once when they arrive and never decoded again. */
export function listStore(sql: SqlStorage) {
  return {
    log(): Log | null {
      return sql.exec<Log>('SELECT epoch, started_ms, prefix_key FROM log').toArray()[0] ?? null
    },
    begin({ epoch, started_ms, prefix_key }: Log): void {
      sql.exec('INSERT INTO log (epoch, started_ms, prefix_key) VALUES (?, ?, ?)', epoch, started_ms, prefix_key)
    },
    append(sequence: number, lastEnd: number, segments: ArrayBuffer): void {
      sql.exec('INSERT INTO batch (sequence, last_end, segments) VALUES (?, ?, ?)', sequence, lastEnd, segments)
    },
    lastSequence(): number {
      return sql.exec<{ last: number | null }>('SELECT max(sequence) AS last FROM batch').one().last ?? 0
    },
    /** The batches after a sequence that still concern a living token. */
    after(sequence: number, now: number): Uint8Array[] {
      const rows = sql.exec<{ segments: ArrayBuffer }>('SELECT segments FROM batch WHERE sequence > ? AND last_end >= ?', sequence, now)
      return rows.toArray().map((row) => new Uint8Array(row.segments))
    },
    /** Forgets what no living token is concerned by; the newest batch stays, for it holds the sequence. Answers whether older ones remain. */
    sweep(now: number): boolean {
      sql.exec('DELETE FROM batch WHERE last_end < ? AND sequence < (SELECT max(sequence) FROM batch)', now)
      return sql.exec<{ n: number }>('SELECT count(*) AS n FROM batch').one().n > 1
    },
  }
}

export type ListStore = ReturnType<typeof listStore>
