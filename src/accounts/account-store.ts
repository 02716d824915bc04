import { Table } from '../storage/table.ts'
import type { AccountRow } from './account.ts'

export const ACCOUNT = new Table<AccountRow>('account', ['sub', 'email', 'name', 'roles', 'ver', 'created_at', 'banned_at'], {
  roles: 'json',
})

const GET = `SELECT ${ACCOUNT.columns} FROM account`

/** The one row of the `account` table. No row: nobody has signed up here (a decoy, or a sign-up that was cut short). */
export function accountStore(sql: SqlStorage) {
  return {
    get(): AccountRow | null {
      return ACCOUNT.all(sql.exec(GET))[0] ?? null
    },
    insert(row: AccountRow): void {
      sql.exec(ACCOUNT.insert, ...ACCOUNT.values(row))
    },
    update({ roles, ver, banned_at }: Pick<AccountRow, 'roles' | 'ver' | 'banned_at'>): void {
      sql.exec('UPDATE account SET roles = ?, ver = ?, banned_at = ?', JSON.stringify(roles), ver, banned_at)
    },
  }
}

export type AccountStore = ReturnType<typeof accountStore>
