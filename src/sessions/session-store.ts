import { Table } from '../storage/table.ts'
import { KEEP_ENDED_SECONDS, type SessionRow, type Standing } from './session.ts'

export const SESSION = new Table<SessionRow>(
  'session',
  [
    ...(['sid', 'secret_hash', 'auth_time', 'acr', 'amr', 'user_agent', 'created_at', 'seen_at', 'idle_seconds'] as const),
    ...(['expires_at', 'ended_at', 'successor'] as const),
  ],
  { amr: 'json' },
)

const GET = `SELECT ${SESSION.columns} FROM session WHERE sid = ?`
const OPEN = `SELECT ${SESSION.columns} FROM session WHERE ended_at IS NULL ORDER BY created_at`

const ENDS_AT = 'CASE WHEN banned_at IS NULL AND ended_at IS NULL THEN min(expires_at, seen_at + idle_seconds) ELSE 0 END'

const STANDING = `SELECT ver, ${ENDS_AT} AS ends_at FROM session CROSS JOIN account WHERE sid = ?`

/** A session and all that is part of it. */
const PARTS = `WITH RECURSIVE part (sid) AS (SELECT ?1 UNION SELECT session.sid FROM session JOIN part ON session.successor = part.sid)`

/** The `session` table of one account. */
export function sessionStore(sql: SqlStorage) {
  return {
    get(sid: string): SessionRow | null {
      return SESSION.all(sql.exec(GET, sid))[0] ?? null
    },
    /** `standingOf` a session and its account, in one look and two columns: each `live` request asks, and rows cost more than the question. */
    standing(sid: string): Standing | null {
      return sql.exec<Standing>(STANDING, sid).toArray()[0] ?? null
    },
    /** Every session that has not been ended; some may have expired. */
    open(): SessionRow[] {
      return SESSION.all(sql.exec(OPEN))
    },
    insert(row: SessionRow): void {
      sql.exec(SESSION.insert, ...SESSION.values(row))
    },
    touch(sid: string, now: number): void {
      sql.exec(`${PARTS} UPDATE session SET seen_at = ?2 WHERE sid IN part`, sid, now)
    },
    /** Another session takes its place, and that of those it had replaced itself: no cookie opens it any more. */
    succeed(sid: string, successor: string): void {
      sql.exec(`${PARTS} UPDATE session SET successor = ?2, secret_hash = NULL WHERE sid IN part AND ended_at IS NULL`, ...[sid, successor])
    },
    /** It becomes a part of another one, and keeps its cookie. */
    join(sid: string, successor: string): void {
      sql.exec('UPDATE session SET successor = ?2 WHERE sid = ?1 AND ended_at IS NULL', sid, successor)
    },
    /** The sessions that it has taken the place of. */
    replacedBy(sid: string): string[] {
      return sql
        .exec<{ sid: string }>('SELECT sid FROM session WHERE successor = ? AND ended_at IS NULL', sid)
        .toArray()
        .map((row) => row.sid)
    },
    end(sid: string, now: number): void {
      sql.exec('UPDATE session SET ended_at = ? WHERE sid = ? AND ended_at IS NULL', now, sid)
    },
    endAllBut(kept: string | null, now: number): void {
      sql.exec('UPDATE session SET ended_at = ? WHERE ended_at IS NULL AND sid IS NOT ?', now, kept)
    },
    /** Forgets what ended or expired long ago. */
    sweep(now: number): void {
      const before = now - KEEP_ENDED_SECONDS
      sql.exec('DELETE FROM session WHERE ended_at < ? OR min(expires_at, seen_at + idle_seconds) < ?', before, before)
    },
  }
}

export type SessionStore = ReturnType<typeof sessionStore>
