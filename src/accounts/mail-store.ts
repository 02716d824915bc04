import type { Mail } from '../revocation/outbox-store.ts'

export type StoredMail = Mail & { at: number }

const KEPT = 500

type Row = { recipient: string; subject: string; text: string; links: string; at: number }

/** The `mail` table of the development mailbox; the newest 500 are kept. */
export function mailStore(sql: SqlStorage) {
  return {
    add(mail: Mail, now: number): void {
      const { to, subject, text, links } = mail
      sql.exec(
        'INSERT INTO mail (recipient, subject, text, links, at) VALUES (?, ?, ?, ?, ?)',
        to,
        subject,
        text,
        JSON.stringify(links),
        now,
      )
      sql.exec('DELETE FROM mail WHERE seq <= (SELECT max(seq) FROM mail) - ?', KEPT)
    },
    newestFirst(): StoredMail[] {
      const rows = sql.exec<Row>('SELECT recipient, subject, text, links, at FROM mail ORDER BY seq DESC').toArray()
      return rows.map(({ recipient, links, ...rest }) => ({ to: recipient, links: JSON.parse(links) as string[], ...rest }))
    },
  }
}
