import type { LogoutNotice } from '../revocation/outbox-store.ts'

export type QueuedLogout = LogoutNotice & { seq: number; created_at: number; tries: number; due_at: number }

const COLUMNS = 'seq, id, client_id, uri, sub, sid, created_at, tries, due_at'

/** The `logout_notice` table: what one client is still to be told, oldest first. */
export function logoutStore(sql: SqlStorage) {
  return {
    /** A notice that comes twice is queued once. */
    add({ id, client_id, uri, sub, sid }: LogoutNotice, now: number): void {
      sql.exec(
        `INSERT INTO logout_notice (id, client_id, uri, sub, sid, created_at, tries, due_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?)
         ON CONFLICT (id) DO NOTHING`,
        ...[id, client_id, uri, sub, sid, now, now],
      )
    },
    first(): QueuedLogout | null {
      return sql.exec<QueuedLogout>(`SELECT ${COLUMNS} FROM logout_notice ORDER BY due_at, seq LIMIT 1`).toArray()[0] ?? null
    },
    retry(id: string, tries: number, dueAt: number): void {
      sql.exec('UPDATE logout_notice SET tries = ?, due_at = ? WHERE id = ?', tries, dueAt, id)
    },
    /** None is due before that. */
    postpone(dueAt: number): void {
      sql.exec('UPDATE logout_notice SET due_at = ? WHERE due_at < ?', dueAt, dueAt)
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
