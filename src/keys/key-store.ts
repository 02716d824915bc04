import type { KeyRow, KeyState, PublicJwk } from './key.ts'
import type { Step } from './rotation.ts'

type Row = Omit<KeyRow, 'public_jwk'> & { public_jwk: string }

const COLUMNS = 'kid, alg, public_jwk, wrapped, iv, secret_id, state, created_at, state_at'

/** The `signing_key` table. */
export function keyStore(sql: SqlStorage) {
  return {
    all(): KeyRow[] {
      const rows = sql.exec<Row>(`SELECT ${COLUMNS} FROM signing_key ORDER BY created_at, kid`).toArray()
      return rows.map((row) => ({ ...row, public_jwk: JSON.parse(row.public_jwk) as PublicJwk }))
    },
    insert(key: KeyRow): void {
      sql.exec(
        `INSERT INTO signing_key (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[key.kid, key.alg, JSON.stringify(key.public_jwk), key.wrapped, key.iv, key.secret_id, key.state, key.created_at, key.state_at],
      )
    },
    setState(kid: string, state: KeyState, now: number): void {
      sql.exec('UPDATE signing_key SET state = ?, state_at = ? WHERE kid = ?', state, now, kid)
    },
    rewrap(kid: string, wrapped: ArrayBuffer, iv: ArrayBuffer, secretId: string): void {
      sql.exec('UPDATE signing_key SET wrapped = ?, iv = ?, secret_id = ? WHERE kid = ?', wrapped, iv, secretId, kid)
    },
    apply(steps: readonly Step[], now: number): void {
      for (const { kid, state } of steps) {
        if (state === 'gone') sql.exec('DELETE FROM signing_key WHERE kid = ?', kid)
        else this.setState(kid, state, now)
      }
    },
  }
}

export type KeyStore = ReturnType<typeof keyStore>
