import type { AccountRow } from '../accounts/account.ts'
import { ACCOUNT } from '../accounts/account-store.ts'
import type { Table } from '../storage/table.ts'
import type { SessionRow } from './session.ts'
import { SESSION } from './session-store.ts'

/** What was given in a session, with that session and its account: all that decides whether it is still good. */
export type Held<Row> = { row: Row; account: AccountRow | null; session: SessionRow | null }

/** The one look that a refresh or a code begins with: three questions would take as long as the signature of the answer. */
export function heldBy<Row extends { sid: string }>(table: Table<Row>, key: keyof Row & string) {
  const { name } = table
  const look = `SELECT ${table.columns}, ${ACCOUNT.columns}, ${SESSION.columns}
    FROM ${name} LEFT JOIN account LEFT JOIN session ON session.sid = ${name}.sid WHERE ${name}.${key} = ?`
  const account = table.width
  const session = account + ACCOUNT.width
  return (sql: SqlStorage, id: string): Held<Row> | null => {
    const [values] = [...sql.exec(look, id).raw()]
    return values
      ? { row: table.read(values), account: ACCOUNT.readJoined(values, account), session: SESSION.readJoined(values, session) }
      : null
  }
}
