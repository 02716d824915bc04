export type PushedRequest = { client_id: string; parameters: Record<string, string>; expires_at: number }

type Row = Omit<PushedRequest, 'parameters'> & { parameters: string }

/** The `pushed_request` table: one row at most. */
export function pushedRequestStore(sql: SqlStorage) {
  return {
    /** What waits; null: nothing, or something that a visit has taken. */
    get(): PushedRequest | null {
      const row = sql.exec<Row>('SELECT client_id, parameters, expires_at FROM pushed_request WHERE taken_by IS NULL').toArray()[0]
      return row ? { ...row, parameters: JSON.parse(row.parameters) as Record<string, string> } : null
    },
    put({ client_id, parameters, expires_at }: PushedRequest): void {
      sql.exec('DELETE FROM pushed_request')
      sql.exec(
        'INSERT INTO pushed_request (client_id, parameters, expires_at) VALUES (?, ?, ?)',
        client_id,
        JSON.stringify(parameters),
        expires_at,
      )
    },
    /** Whether it is this visit's: it was nobody's until now, or its own already. */
    take(visit: string): boolean {
      const taken = 'UPDATE pushed_request SET taken_by = ?1 WHERE taken_by IS NULL OR taken_by = ?1 RETURNING 1'
      return sql.exec(taken, visit).toArray().length > 0
    },
  }
}
