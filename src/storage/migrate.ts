/** One numbered file of `schema/<object>/`; frozen once landed, never edited. */
export type Migration = { id: string; sql: string }

/**
 * Brings an object's SQLite database up to date, each migration in a transaction of its own.
 * Workers refuse `PRAGMA user_version`, so what has been applied is a table.
 */
export function migrate(storage: DurableObjectStorage, migrations: readonly Migration[]): void {
  const { sql } = storage
  sql.exec('CREATE TABLE IF NOT EXISTS migration (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID')
  const applied = new Set(
    sql
      .exec<{ id: string }>('SELECT id FROM migration')
      .toArray()
      .map((row) => row.id),
  )
  for (const migration of migrations) {
    if (applied.has(migration.id)) continue
    storage.transactionSync(() => {
      sql.exec(migration.sql)
      sql.exec('INSERT INTO migration (id) VALUES (?)', migration.id)
    })
  }
}

/** Whether this database was ever migrated. A look, which stores nothing. */
export function isMigrated(storage: DurableObjectStorage): boolean {
  return storage.sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'").toArray().length > 0
}
