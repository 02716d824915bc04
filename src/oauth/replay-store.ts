/** The proofs of one maker that were seen and are still good. Times are integer seconds. */
export type ReplayStore = ReturnType<typeof replayStore>

export function replayStore(sql: SqlStorage) {
  return {
    /** Whether it was not there yet; now it is. One that was to be forgotten before `forgotten` does not count. */
    insert(digest: ArrayBuffer, expires_at: number, forgotten: number): boolean {
      const rows = sql.exec(
        `INSERT INTO proof (digest, expires_at) VALUES (?, ?)
         ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at WHERE proof.expires_at <= ? RETURNING 1`,
        digest,
        expires_at,
        forgotten,
      )
      return rows.toArray().length > 0
    },
    forget(forgotten: number): void {
      sql.exec('DELETE FROM proof WHERE expires_at <= ?', forgotten)
    },
    /** When the last of them expires; null: there is none. */
    latest(): number | null {
      return sql.exec<{ latest: number | null }>('SELECT max(expires_at) AS latest FROM proof').one().latest
    },
  }
}
