import { includesScope } from '../protocol/scope.ts'

export type ConsentRow = { client_id: string; redirect_uri: string; scope: string; granted_at: number }

/** The `consent` table of one account: what its person has allowed, for one client at one exact address. */
export function consentStore(sql: SqlStorage) {
  const get = (clientId: string, redirectUri: string): ConsentRow | null =>
    sql
      .exec<ConsentRow>(
        'SELECT client_id, redirect_uri, scope, granted_at FROM consent WHERE client_id = ? AND redirect_uri = ?',
        clientId,
        redirectUri,
      )
      .toArray()[0] ?? null
  return {
    covers(clientId: string, redirectUri: string, scope: string): boolean {
      const given = get(clientId, redirectUri)
      return given !== null && includesScope(given.scope, scope)
    },
    /** Adds to what has been allowed there before. */
    give(clientId: string, redirectUri: string, scope: string, now: number): void {
      const scopes = new Set([get(clientId, redirectUri)?.scope ?? '', scope].flatMap((text) => text.split(' ').filter(Boolean)))
      sql.exec(
        `INSERT INTO consent (client_id, redirect_uri, scope, granted_at) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET scope = excluded.scope, granted_at = excluded.granted_at`,
        ...[clientId, redirectUri, [...scopes].sort().join(' '), now],
      )
    },
    all(): ConsentRow[] {
      return sql.exec<ConsentRow>('SELECT client_id, redirect_uri, scope, granted_at FROM consent ORDER BY granted_at').toArray()
    },
    /** The person disconnects an app. */
    withdraw(clientId: string): void {
      sql.exec('DELETE FROM consent WHERE client_id = ?', clientId)
    },
  }
}

export type ConsentStore = ReturnType<typeof consentStore>
