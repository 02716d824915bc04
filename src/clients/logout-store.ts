import type { LogoutNotice } from '../revocation/outbox-store.ts'

export type QueuedLogout = LogoutNotice & { seq: number; created_at: number; tries: number; due_at: number }

const COLUMNS = 'seq, id, client_id, uri, sub, sid, created_at, tries, due_at'

/** The `logout_notice` table: what one client is still to be told, oldest first. */
export function logoutStore(sql: SqlStorage) {
  return {
    /** A notice that comes twice is queued once. */
    add({ id, client_id, uri, sub, sid }: LogoutNotice, now: number): void {
      sql.exec(
        `INSERT INTO logout_notice (id, client_id, uri, sub, sid, created_at, tries, refused, due_at) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?)
         ON CONFLICT (id) DO NOTHING`,
        ...[id, client_id, uri, sub, sid, now, now],
      )
    },
    /** What may be sent now: the oldest that was never refused, for which all later ones wait; else one that was refused. */
    next(now: number): QueuedLogout | null {
      const first = sql.exec<QueuedLogout>(`SELECT ${COLUMNS} FROM logout_notice WHERE refused = 0 ORDER BY seq LIMIT 1`).toArray()[0]
      if (first && first.due_at <= now) return first
      const refused = `SELECT ${COLUMNS} FROM logout_notice WHERE refused = 1 AND due_at <= ? ORDER BY due_at, seq LIMIT 1`
      return sql.exec<QueuedLogout>(refused, now).toArray()[0] ?? null
    },
    /** When something may be sent; null: nothing waits. */
    nextDue(): number | null {
      const due = `SELECT min(due_at) AS due FROM (
        SELECT * FROM (SELECT due_at FROM logout_notice WHERE refused = 0 ORDER BY seq LIMIT 1)
        UNION ALL SELECT due_at FROM logout_notice WHERE refused = 1)`
      return sql.exec<{ due: number | null }>(due).one().due
    },
    retry(id: string, { tries, refused, due_at }: { tries: number; refused: boolean; due_at: number }): void {
      sql.exec('UPDATE logout_notice SET tries = ?, refused = ?, due_at = ? WHERE id = ?', tries, refused ? 1 : 0, due_at, id)
    },
    remove(id: string): void {
      sql.exec('DELETE FROM logout_notice WHERE id = ?', id)
    },
    /** Nobody is told of what happened longer ago than that. */
    sweep(before: number): void {
      sql.exec('DELETE FROM logout_notice WHERE created_at < ?', before)
    },
  }
}

export type LogoutStore = ReturnType<typeof logoutStore>
