/** Identifier -> account id. The digest is the primary key, so uniqueness is the table's. */
export function identifierStore(sql: SqlStorage) {
  return {
    find(digest: ArrayBuffer): string | null {
      return sql.exec<{ sub: string }>('SELECT sub FROM identifier WHERE digest = ?', digest).toArray()[0]?.sub ?? null
    },
    insert(digest: ArrayBuffer, sub: string): void {
      sql.exec('INSERT INTO identifier (digest, sub) VALUES (?, ?)', digest, sub)
    },
  }
}

export type IdentifierStore = ReturnType<typeof identifierStore>
