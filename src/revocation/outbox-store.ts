import type { Denial } from '../protocol/denial.ts'

/** A mail that a person should get; rendered already, so that a retry sends the same words. */
export type Mail = { to: string; subject: string; text: string; links: string[] }

/**
 * A client that must hear that a session has ended (OpenID Connect Back-Channel Logout). `id` is the same at every try, so that whoever gets
 * it twice can tell; `uri` is what the client had said when it was authorized: a registered or configured one is told where it listens now.
 */
export type LogoutNotice = { id: string; client_id: string; uri: string; sub: string; sid: string }

/** What another object must still be told. */
export type Letter = { target: 'denial'; body: Denial } | { target: 'mail'; body: Mail } | { target: 'logout'; body: LogoutNotice }

export type StoredLetter = Letter & { seq: number; created_at: number }

type Row = { seq: number; target: Letter['target']; body: string; created_at: number }

/**
 * The `outbox` table that stands in each object which must tell another one something: written in the same transaction as the change
 * that it tells of, read by whoever delivers, removed when the other object has it. Delivery may happen twice; it is never skipped.
 */
export function outboxStore(sql: SqlStorage) {
  return {
    add(letter: Letter, now: number): void {
      sql.exec('INSERT INTO outbox (target, body, created_at) VALUES (?, ?, ?)', letter.target, JSON.stringify(letter.body), now)
    },
    /** Denials first: a page full of mails must not hide one, for `denied` is read off it. */
    pending(limit = 100): StoredLetter[] {
      const rows = sql
        .exec<Row>("SELECT seq, target, body, created_at FROM outbox ORDER BY target <> 'denial', seq LIMIT ?", limit)
        .toArray()
      return rows.map((row) => ({ ...row, body: JSON.parse(row.body) }) as StoredLetter)
    },
    remove(letters: readonly StoredLetter[]): void {
      // SQLite gives a number out again once the table is empty: a late delivery must not remove the letter that has it now.
      for (const { seq, body } of letters) sql.exec('DELETE FROM outbox WHERE seq = ? AND body = ?', seq, JSON.stringify(body))
    },
  }
}

export type OutboxStore = ReturnType<typeof outboxStore>
