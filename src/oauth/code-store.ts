import { type Held, heldBy } from '../sessions/held-store.ts'
import { Table } from '../storage/table.ts'

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

export const CODE = new Table<CodeRow>(
  'authorization_code',
  [
    ...(['id', 'client_id', 'redirect_uri', 'scope', 'aud', 'code_challenge', 'nonce', 'sid', 'jkt', 'logout_uri'] as const),
    ...(['expires_at', 'consumed_by', 'grant_id'] as const),
  ],
  {},
)

const held = heldBy(CODE, 'id')

/** Seconds for which a redeemed code is remembered, so that its replay ends what it gave. */
const KEEP_SECONDS = 86_400

/** The `authorization_code` table of one account. */
export function codeStore(sql: SqlStorage) {
  return {
    held: (id: string): Held<CodeRow> | null => held(sql, id),
    insert(row: CodeRow): void {
      sql.exec(CODE.insert, ...CODE.values(row))
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
