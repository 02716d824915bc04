import type { AccountRow } from './account.ts'

type Row = Omit<AccountRow, 'roles'> & { roles: string }

/** The one row of the `account` table. No row: nobody has signed up here (a decoy, or a sign-up that was cut short). */
export function accountStore(sql: SqlStorage) {
  return {
    get(): AccountRow | null {
      const row = sql.exec<Row>('SELECT sub, email, name, roles, ver, created_at, banned_at FROM account').toArray()[0]
      return row ? { ...row, roles: JSON.parse(row.roles) as string[] } : null
    },
    insert(row: AccountRow): void {
      const { sub, email, name, roles, ver, created_at, banned_at } = row
      sql.exec(
        'INSERT INTO account (sub, email, name, roles, ver, created_at, banned_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...[sub, email, name, JSON.stringify(roles), ver, created_at, banned_at],
      )
    },
    update({ roles, ver, banned_at }: Pick<AccountRow, 'roles' | 'ver' | 'banned_at'>): void {
      sql.exec('UPDATE account SET roles = ?, ver = ?, banned_at = ?', JSON.stringify(roles), ver, banned_at)
    },
  }
}

export type AccountStore = ReturnType<typeof accountStore>
