import { runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import { ACCOUNT } from '../../src/accounts/account-store.ts'
import { CODE } from '../../src/oauth/code-store.ts'
import { FAMILY } from '../../src/sessions/family-store.ts'
import { heldBy } from '../../src/sessions/held-store.ts'
import { SESSION } from '../../src/sessions/session-store.ts'
import { Table } from '../../src/storage/table.ts'
import { accountOf, newAccount, TOKENS } from '../support/account.ts'

type Thing = { id: string; sid: string; list: string[] | null; open: boolean; bytes: ArrayBuffer | null; acr: string }
const THING = new Table<Thing>('thing', ['id', 'sid', 'list', 'open', 'bytes', 'acr'], { list: 'json', open: 'flag' })
const SCHEMA = `CREATE TABLE thing
  (id TEXT PRIMARY KEY, sid TEXT NOT NULL, list TEXT, open INTEGER NOT NULL, bytes BLOB, acr TEXT NOT NULL) STRICT`

const bytes = Uint8Array.of(0, 255).buffer
const thing: Thing = { id: 'a', sid: 'gone', list: null, open: false, bytes: null, acr: 'its own' }

/** A new account's database, with a table of our own in it. */
async function inDatabase<T>(use: (sql: SqlStorage, account: Awaited<ReturnType<typeof newAccount>>) => T): Promise<T> {
  const account = await newAccount(TOKENS)
  return runInDurableObject(accountOf(account.sub), (_, { storage: { sql } }) => {
    sql.exec(SCHEMA)
    return use(sql, account)
  })
}

describe('a table', () => {
  test('reads back what was written: JSON, flags, bytes, and nothing', async () => {
    const rows = [
      { ...thing, list: ['x', '"'], open: true, bytes },
      { ...thing, id: 'b', list: [] },
      { ...thing, id: 'c' },
    ]
    const read = await inDatabase((sql) => {
      for (const row of rows) sql.exec(THING.insert, ...THING.values(row))
      return THING.all(sql.exec(`SELECT ${THING.columns} FROM thing ORDER BY id`))
    })
    expect(read).toEqual(rows)
  })

  test('holds no lock after a row that cannot be read', async () => {
    await inDatabase((sql) => {
      for (const id of ['a', 'b']) sql.exec(THING.insert, ...THING.values({ ...thing, id }))
      sql.exec("UPDATE thing SET list = '['")
      expect(() => THING.all(sql.exec(`SELECT ${THING.columns} FROM thing`))).toThrow(SyntaxError)
      expect(() => sql.exec('DROP TABLE thing')).not.toThrow()
    })
  })

  test.each([ACCOUNT, SESSION, FAMILY, CODE])('$name names each column of its schema', async ({ name, names }) => {
    const columns = await inDatabase((sql) => sql.exec(`SELECT * FROM ${name}`).columnNames)
    expect([...names].sort()).toEqual([...columns].sort())
  })
})

describe('what is held by a session', () => {
  const held = heldBy(THING, 'id')

  test('comes with its session and its account, each with its own columns where names are shared', async () => {
    const { sid, found, sub } = await inDatabase((sql, { sub, started }) => {
      const { sid } = started.session
      sql.exec(THING.insert, ...THING.values({ ...thing, sid, list: ['x'] }))
      return { sid, sub, found: held(sql, 'a') }
    })
    expect(found?.row).toEqual({ ...thing, sid, list: ['x'] })
    expect(found?.session).toMatchObject({ sid, amr: ['pwd'], ended_at: null })
    expect(found?.session?.acr).not.toBe('its own')
    expect(found?.account).toMatchObject({ sub, roles: [], banned_at: null })
  })

  test('comes without a session that is gone, and without an account that is not there', async () => {
    const [orphan, alone] = await inDatabase((sql) => {
      sql.exec(THING.insert, ...THING.values(thing))
      const first = held(sql, 'a')
      sql.exec('DELETE FROM account')
      return [first, held(sql, 'a')]
    })
    expect(orphan).toMatchObject({ row: thing, session: null, account: { ver: 1 } })
    expect(alone).toEqual({ row: thing, session: null, account: null })
  })

  test('is not found by another id', async () => {
    expect(await inDatabase((sql) => held(sql, 'b'))).toBeNull()
  })
})
