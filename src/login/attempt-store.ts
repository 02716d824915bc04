import type { AttemptState } from './attempts.ts'

type Attempt = Exclude<AttemptState, null>

/** The `attempt` table: one counter for unknown devices, one for each known device that has failed. */
export function attemptStore(sql: SqlStorage) {
  return {
    get(counter: string): AttemptState {
      return sql.exec<Attempt>('SELECT failures, blocked_until_ms, last_ms FROM attempt WHERE counter = ?', counter).toArray()[0] ?? null
    },
    put(counter: string, state: AttemptState): void {
      if (!state) return
      const { failures, blocked_until_ms, last_ms } = state
      sql.exec(
        'INSERT OR REPLACE INTO attempt (counter, failures, blocked_until_ms, last_ms) VALUES (?, ?, ?, ?)',
        counter,
        failures,
        blocked_until_ms,
        last_ms,
      )
    },
    /** Forgets counters last touched before a time; answers how many are left. */
    sweep(beforeMs: number): number {
      sql.exec('DELETE FROM attempt WHERE last_ms < ?', beforeMs)
      return sql.exec<{ n: number }>('SELECT count(*) AS n FROM attempt').one().n
    },
    clear(counter: string): void {
      sql.exec('DELETE FROM attempt WHERE counter = ?', counter)
    },
  }
}

export type AttemptStore = ReturnType<typeof attemptStore>
