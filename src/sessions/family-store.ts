import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { Table } from '../storage/table.ts'
import { type Held, heldBy } from './held-store.ts'
import type { Lineage } from './rotation.ts'
import { FAMILY_IDLE_SECONDS, type FamilyRow, KEEP_ENDED_SECONDS, type Standing } from './session.ts'

export const FAMILY = new Table<FamilyRow>(
  'family',
  [
    ...(['grant_id', 'sid', 'client_id', 'scope', 'aud', 'seed', 'generation', 'secret_id', 'rotated_at', 'rotations'] as const),
    ...(['recovered', 'network', 'echoed', 'echoes', 'created_at', 'expires_at', 'ended_at', 'auth_time', 'acr', 'amr'] as const),
    ...(['jkt', 'offline', 'logout_uri'] as const),
  ],
  { rotations: 'json', amr: 'json', offline: 'flag' },
)

const GET = `SELECT ${FAMILY.columns} FROM family WHERE grant_id = ?`

const held = heldBy(FAMILY, 'grant_id')

/** More than any time there is: what a token does not name does not end it. */
const NEVER = Number.MAX_SAFE_INTEGER

/** `proveToken` in one look, but for tokens that name neither a session nor a grant. */
const STANDING = `SELECT ver, CASE
    WHEN banned_at IS NOT NULL OR EXISTS (SELECT 1 FROM revoked_token WHERE jti = ?1) THEN 0
    ELSE min(
      CASE WHEN ?2 IS NULL THEN ${NEVER} ELSE coalesce((SELECT CASE WHEN ended_at IS NULL THEN min(expires_at, seen_at + idle_seconds) END
        FROM session WHERE sid = ?2), 0) END,
      CASE WHEN ?3 IS NULL THEN ${NEVER} ELSE coalesce((SELECT CASE WHEN ended_at IS NULL THEN min(expires_at, rotated_at + ${FAMILY_IDLE_SECONDS}) END
        FROM family WHERE grant_id = ?3), 0) END
    )
  END AS ends_at FROM account`

/** The `family` table of one account: one row a family, one row written a rotation. */
export function familyStore(sql: SqlStorage) {
  return {
    get(grantId: string): FamilyRow | null {
      return FAMILY.all(sql.exec(GET, grantId))[0] ?? null
    },
    held: (grantId: string): Held<FamilyRow> | null => held(sql, grantId),
    /** What an OAuth client's access token hangs on: the account, the token itself, its session, its grant. Asked for each `live` answer. */
    standing({ jti, sid, grant_id }: { jti: string; sid?: string; grant_id?: string }): Standing | null {
      return sql.exec<Standing>(STANDING, jti, sid ?? null, grant_id ?? null).toArray()[0] ?? null
    },
    insert(row: FamilyRow): void {
      sql.exec(FAMILY.insert, ...FAMILY.values(row))
    },
    rotate(grantId: string, lineage: Lineage, made: { secret_id: string; rotated_at: number; network: string }): void {
      sql.exec(
        'UPDATE family SET generation = ?, rotations = ?, secret_id = ?, rotated_at = ?, network = ? WHERE grant_id = ?',
        ...[lineage.generation, JSON.stringify(lineage.rotations), made.secret_id, made.rotated_at, made.network, grantId],
      )
    },
    recover(grantId: string, recovered: number | null): void {
      sql.exec('UPDATE family SET recovered = ? WHERE grant_id = ?', recovered, grantId)
    },
    echo(grantId: string, echoed: number | null, echoes: number): void {
      sql.exec('UPDATE family SET echoed = ?, echoes = ? WHERE grant_id = ?', echoed, echoes, grantId)
    },
    end(grantId: string, now: number): void {
      sql.exec('UPDATE family SET ended_at = ? WHERE grant_id = ? AND ended_at IS NULL', now, grantId)
    },
    /** Whether an OAuth client was authorized in a session and still is. */
    hasClients(sid: string): boolean {
      return (
        sql.exec('SELECT 1 FROM family WHERE sid = ? AND client_id <> ? AND ended_at IS NULL', sid, FIRST_PARTY_CLIENT_ID).toArray()
          .length > 0
      )
    },
    /** The clients that were authorized in a session and want to hear of its end, each once, whatever has become of their families. */
    logoutTargets(sid: string): { client_id: string; uri: string }[] {
      return sql
        .exec<{ client_id: string; uri: string }>(
          `SELECT client_id, logout_uri AS uri, MAX(created_at) AS newest FROM family
           WHERE sid = ? AND logout_uri IS NOT NULL GROUP BY client_id`,
          sid,
        )
        .toArray()
    },
    /** Ends what lives with a session: all but the families that were granted offline access. */
    endOf(sid: string, now: number): void {
      sql.exec('UPDATE family SET ended_at = ? WHERE sid = ? AND offline = 0 AND ended_at IS NULL', now, sid)
    },
    /** Ends everything but the online families of one session. */
    endAllBut(keptSid: string | null, now: number): void {
      sql.exec('UPDATE family SET ended_at = ? WHERE ended_at IS NULL AND (sid IS NOT ? OR offline = 1)', now, keptSid)
    },
    /** The last rotation of each session's families, for those that are not ended. */
    lastUsed(): Map<string, number> {
      const rows = sql.exec<{ sid: string; at: number }>(
        'SELECT sid, max(rotated_at) AS at FROM family WHERE ended_at IS NULL GROUP BY sid',
      )
      return new Map(rows.toArray().map(({ sid, at }) => [sid, at]))
    },
    sweep(now: number): void {
      const before = now - KEEP_ENDED_SECONDS
      sql.exec('DELETE FROM family WHERE ended_at < ? OR min(expires_at, rotated_at + ?) < ?', before, FAMILY_IDLE_SECONDS, before)
    },
  }
}

export type FamilyStore = ReturnType<typeof familyStore>
