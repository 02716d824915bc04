/** An authorization code as the account keeps it: its token holds the id under a MAC, so that no copy of the database makes one. */
export type CodeRow = {
  id: string
  client_id: string
  /** Null: a device code, which was given at no address. */
  redirect_uri: string | null
  scope: string
  aud: string
  code_challenge: string | null
  nonce: string | null
  sid: string
  /** The key that the code is bound to (RFC 9449, 10). */
  jkt: string | null
  logout_uri: string | null
  expires_at: number
  /** The try that redeemed it: its own repeat gets the same answer, any other one is a replay. */
  consumed_by: string | null
  grant_id: string | null
}

const COLUMNS = 'id, client_id, redirect_uri, scope, aud, code_challenge, nonce, sid, jkt, logout_uri, expires_at, consumed_by, grant_id'

/** Seconds for which a redeemed code is remembered, so that its replay ends what it gave. */
const KEEP_SECONDS = 86_400

/** The `authorization_code` table of one account. */
export function codeStore(sql: SqlStorage) {
  return {
    get(id: string): CodeRow | null {
      return sql.exec<CodeRow>(`SELECT ${COLUMNS} FROM authorization_code WHERE id = ?`, id).toArray()[0] ?? null
    },
    insert(row: CodeRow): void {
      sql.exec(
        `INSERT INTO authorization_code (${COLUMNS}) VALUES (${COLUMNS.split(',')
          .map(() => '?')
          .join(', ')})`,
        ...[row.id, row.client_id, row.redirect_uri, row.scope, row.aud, row.code_challenge, row.nonce, row.sid, row.jkt],
        ...[row.logout_uri, row.expires_at, row.consumed_by, row.grant_id],
      )
    },
    consume(id: string, by: string, grantId: string): void {
      sql.exec('UPDATE authorization_code SET consumed_by = ?, grant_id = ? WHERE id = ?', by, grantId, id)
    },
    /** What was authorized and not yet taken is taken no more. */
    dropPending(): void {
      sql.exec('DELETE FROM authorization_code WHERE consumed_by IS NULL')
    },
    sweep(now: number): void {
      sql.exec('DELETE FROM authorization_code WHERE expires_at < ?', now - KEEP_SECONDS)
    },
  }
}

export type CodeStore = ReturnType<typeof codeStore>
