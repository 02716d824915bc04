/** The one row of the `password` table: the PHC string of the account's password. */
export function passwordStore(sql: SqlStorage) {
  return {
    get(): string | null {
      return sql.exec<{ phc: string }>('SELECT phc FROM password').toArray()[0]?.phc ?? null
    },
    set(sub: string, phc: string, now: number): void {
      sql.exec(
        'INSERT INTO password (sub, phc, changed_at) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET phc = ?2, changed_at = ?3',
        sub,
        phc,
        now,
      )
    },
  }
}

export type PasswordStore = ReturnType<typeof passwordStore>
