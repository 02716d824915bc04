export type DeviceRequest = {
  client_id: string
  secret_hash: ArrayBuffer
  scope: string
  aud: string
  state: 'pending' | 'approved' | 'denied'
  /** The session that looked at it first: only that one decides. */
  viewer: string | null
  /** Once approved: whose code it is, and which. */
  sub: string | null
  code: string | null
  expires_at: number
}

const COLUMNS = 'client_id, secret_hash, scope, aud, state, viewer, sub, code, expires_at'

/** The `device_request` table: one row at most. */
export function deviceRequestStore(sql: SqlStorage) {
  return {
    get(): DeviceRequest | null {
      return sql.exec<DeviceRequest>(`SELECT ${COLUMNS} FROM device_request`).toArray()[0] ?? null
    },
    put(row: DeviceRequest): void {
      sql.exec('DELETE FROM device_request')
      sql.exec(
        `INSERT INTO device_request (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[row.client_id, row.secret_hash, row.scope, row.aud, row.state, row.viewer, row.sub, row.code, row.expires_at],
      )
    },
  }
}

export type DeviceRequestStore = ReturnType<typeof deviceRequestStore>
