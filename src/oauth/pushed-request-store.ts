export type PushedRequest = { client_id: string; parameters: Record<string, string>; expires_at: number }

type Row = Omit<PushedRequest, 'parameters'> & { parameters: string }

/** The `pushed_request` table: one row at most. */
export function pushedRequestStore(sql: SqlStorage) {
  return {
    get(): PushedRequest | null {
      const row = sql.exec<Row>('SELECT client_id, parameters, expires_at FROM pushed_request').toArray()[0]
      return row ? { ...row, parameters: JSON.parse(row.parameters) as Record<string, string> } : null
    },
    insert({ client_id, parameters, expires_at }: PushedRequest): void {
      sql.exec(
        'INSERT INTO pushed_request (client_id, parameters, expires_at) VALUES (?, ?, ?)',
        client_id,
        JSON.stringify(parameters),
        expires_at,
      )
    },
    /** Whether there was one; now there is none. */
    take(): boolean {
      return sql.exec('DELETE FROM pushed_request RETURNING 1').toArray().length > 0
    },
  }
}
