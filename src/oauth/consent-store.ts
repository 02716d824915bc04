import { includesScope } from '../protocol/scope.ts'

export type ConsentRow = { client_id: string; redirect_uri: string; aud: string; scope: string; granted_at: number }

/** What is asked, or was allowed: for one client at one exact address. `aud`: audiences, `scope`: scope-tokens, separated by spaces. */
export type Consent = Omit<ConsentRow, 'granted_at'>

const COLUMNS = 'client_id, redirect_uri, aud, scope, granted_at'

/** The `consent` table of one account: what its person has allowed, a row for each audience. */
export function consentStore(sql: SqlStorage) {
  const scopeAt = ({ client_id, redirect_uri }: Consent, aud: string): string | null =>
    sql
      .exec<{ scope: string }>(
        'SELECT scope FROM consent WHERE client_id = ? AND redirect_uri = ? AND aud = ?',
        client_id,
        redirect_uri,
        aud,
      )
      .toArray()[0]?.scope ?? null
  return {
    covers(asked: Consent): boolean {
      return asked.aud.split(' ').every((aud) => {
        const given = scopeAt(asked, aud)
        return given !== null && includesScope(given, asked.scope)
      })
    },
    /** Adds to what has been allowed there before. */
    give(allowed: Consent, now: number): void {
      for (const aud of allowed.aud.split(' ')) {
        const scopes = new Set([scopeAt(allowed, aud) ?? '', allowed.scope].flatMap((text) => text.split(' ').filter(Boolean)))
        sql.exec(
          `INSERT INTO consent (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at`,
          ...[allowed.client_id, allowed.redirect_uri, aud, [...scopes].sort().join(' '), now],
        )
      }
    },
    all(): ConsentRow[] {
      return sql.exec<ConsentRow>(`SELECT ${COLUMNS} FROM consent ORDER BY granted_at`).toArray()
    },
    /** The person disconnects an app. */
    withdraw(clientId: string): void {
      sql.exec('DELETE FROM consent WHERE client_id = ?', clientId)
    },
  }
}

export type ConsentStore = ReturnType<typeof consentStore>
