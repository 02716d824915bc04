/** A column whose value is text or a number in SQLite and something else in its row. */
type Form = 'json' | 'flag'

/** One for each column that SQLite cannot hold as it is: a list given to it as a value would be stored as its words, without an error. */
type Forms<Row> = Partial<Record<keyof Row, Form>> & { [Column in keyof Row as Row[Column] extends SqlStorageValue ? never : Column]: Form }

/**
 * One table: its columns in order, and how a row of them goes in and out. `json` and `flag` (0 or 1) say which columns hold those; every
 * other one holds what its row holds.
 */
export class Table<Row extends object> {
  readonly name: string
  readonly names: readonly (keyof Row & string)[]
  readonly width: number
  /** For a SELECT: each column with its table's name, since joined tables share some. */
  readonly columns: string
  /** An INSERT of all columns, for `values`. */
  readonly insert: string
  readonly #forms: readonly (Form | undefined)[]

  constructor(name: string, columns: readonly (keyof Row & string)[], forms: Forms<Row>) {
    this.name = name
    this.names = columns
    this.width = columns.length
    this.#forms = columns.map((column) => forms[column])
    this.columns = columns.map((column) => `${name}.${column}`).join(', ')
    this.insert = `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
  }

  values(row: Row): SqlStorageValue[] {
    return this.names.map((name, index) => {
      const value: unknown = row[name]
      const form = this.#forms[index]
      if (form === 'flag') return value === true ? 1 : 0
      return form === 'json' && value !== null ? JSON.stringify(value) : (value as SqlStorageValue)
    })
  }

  /** Every row of a query for `columns`. Read to its end first: a cursor cannot be closed, and locks its table for as long as it is open. */
  all(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): Row[] {
    return [...cursor.raw()].map((values) => this.read(values))
  }

  /** A row out of an outer join; null where it found none. The first column is a key, and never null. */
  readJoined(values: readonly SqlStorageValue[], from: number): Row | null {
    return values[from] === null ? null : this.read(values, from)
  }

  /**
   * The row that begins at `from` among the values of a `raw()` cursor. By position: the runtime looks up the name of each column anew for
   * each row, which takes longer than the row.
   */
  read(values: readonly SqlStorageValue[], from = 0): Row {
    const row: Record<string, unknown> = {}
    for (const [index, name] of this.names.entries()) {
      const value = values[from + index]
      const form = this.#forms[index]
      if (form === 'flag') row[name] = value === 1
      else row[name] = form === 'json' && typeof value === 'string' ? JSON.parse(value) : value
    }
    return row as Row
  }
}
