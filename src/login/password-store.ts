/** The one row of the `password` table: the PHC string of the account's password. */
export function passwordStore(sql: SqlStorage) {
  return {
    get(): string | null {
      return this.row()?.phc ?? null
    },
    /** `changed_at`: when the person chose it, integer seconds; a new hash of the same password does not count. */
    row(): { phc: string; changed_at: number } | null {
      return sql.exec<{ phc: string; changed_at: number }>('SELECT phc, changed_at FROM password').toArray()[0] ?? null
    },
    rehash(phc: string): void {
      sql.exec('UPDATE password SET phc = ?', phc)
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
