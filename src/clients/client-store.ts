import type { Client, ClientSecret } from './client.ts'

export type RegisteredClient = { client: Client; registration_hash: string; created_at: number; used_at: number | null }

type Row = Omit<RegisteredClient, 'client'> & { client: string }

/** The tables of one client: `client` (one row or none), `client_secret`, `revoked_token`, `removal`. */
export function clientStore(sql: SqlStorage) {
  return {
    get(): RegisteredClient | null {
      const row = sql.exec<Row>('SELECT client, registration_hash, created_at, used_at FROM client').toArray()[0]
      return row ? { ...row, client: JSON.parse(row.client) as Client } : null
    },
    insert({ client, registration_hash, created_at, used_at }: RegisteredClient): void {
      sql.exec(
        'INSERT INTO client (client_id, client, registration_hash, created_at, used_at) VALUES (?, ?, ?, ?, ?)',
        ...[client.client_id, JSON.stringify(client), registration_hash, created_at, used_at],
      )
    },
    replace(client: Client): void {
      sql.exec('UPDATE client SET client = ?', JSON.stringify(client))
    },
    use(now: number): void {
      sql.exec('UPDATE client SET used_at = ?', now)
    },
    /** What is left says only whose it was. */
    remove(): void {
      sql.exec('INSERT OR IGNORE INTO removal (registration_hash) SELECT registration_hash FROM client')
      sql.exec('DELETE FROM client')
      sql.exec('DELETE FROM client_secret')
    },
    isRemoval(registration_hash: string): boolean {
      return sql.exec('SELECT 1 FROM removal WHERE registration_hash = ?', registration_hash).toArray().length > 0
    },

    /** Newest first. */
    secrets(now: number): ClientSecret[] {
      return sql
        .exec<ClientSecret>(
          'SELECT hash, expires_at FROM client_secret WHERE expires_at IS NULL OR expires_at > ? ORDER BY created_at DESC, expires_at IS NOT NULL, expires_at DESC',
          now,
        )
        .toArray()
    },
    addSecret(hash: string, now: number): void {
      sql.exec('INSERT OR IGNORE INTO client_secret (hash, created_at, expires_at) VALUES (?, ?, NULL)', hash, now)
    },
    /** Lets every secret end at `end` at the latest. */
    endSecrets(end: number): void {
      sql.exec('UPDATE client_secret SET expires_at = ? WHERE expires_at IS NULL OR expires_at > ?', end, end)
    },
    dropSecret(hash: string): void {
      sql.exec('DELETE FROM client_secret WHERE hash = ?', hash)
    },
    sweepSecrets(now: number): void {
      sql.exec('DELETE FROM client_secret WHERE expires_at <= ?', now)
    },

    revokeToken(jti: string, exp: number): void {
      sql.exec('INSERT OR IGNORE INTO revoked_token (jti, exp) VALUES (?, ?)', jti, exp)
    },
    isRevoked(jti: string): boolean {
      return sql.exec('SELECT 1 FROM revoked_token WHERE jti = ?', jti).toArray().length > 0
    },
    sweepTokens(now: number): void {
      sql.exec('DELETE FROM revoked_token WHERE exp < ?', now)
    },
    /** When the next of the revoked tokens has expired; null: there is none. */
    nextExpiry(): number | null {
      return sql.exec<{ next: number | null }>('SELECT min(exp) AS next FROM revoked_token').one().next
    },
  }
}

export type ClientStore = ReturnType<typeof clientStore>
