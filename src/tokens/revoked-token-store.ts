/** The `revoked_token` table of whoever owns access tokens: those revoked one by one, kept until nobody accepts them any more. */
export function revokedTokenStore(sql: SqlStorage) {
  return {
    has(jti: string): boolean {
      return sql.exec('SELECT 1 FROM revoked_token WHERE jti = ?', jti).toArray().length > 0
    },
    add(jti: string, expiresAt: number): void {
      sql.exec('INSERT INTO revoked_token (jti, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING', jti, expiresAt)
    },
    sweep(now: number): void {
      sql.exec('DELETE FROM revoked_token WHERE expires_at < ?', now)
    },
  }
}

export type RevokedTokenStore = ReturnType<typeof revokedTokenStore>
