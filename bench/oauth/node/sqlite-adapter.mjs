// oidc-provider's storage in SQLite, by Node's own module, as cheap as it gets: one table, a primary key, prepared statements, a
// write-ahead log. The library asks for one write at a time, so each is a transaction of its own.
import { DatabaseSync } from 'node:sqlite'

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE model (
    key TEXT PRIMARY KEY,
    payload TEXT NOT NULL,
    grant_id TEXT,
    uid TEXT,
    user_code TEXT,
    consumed_at INTEGER,
    expires_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX model_grant ON model (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX model_uid ON model (uid) WHERE uid IS NOT NULL;
  CREATE INDEX model_user_code ON model (user_code) WHERE user_code IS NOT NULL;`

const now = () => Math.floor(Date.now() / 1000)

const read = (row) => {
  if (!row || (row.expires_at !== null && row.expires_at <= now())) return undefined
  const payload = JSON.parse(row.payload)
  return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at }
}

/**
 * @param {{ file: string, synchronous: 'FULL' | 'NORMAL' }} state FULL: what was acknowledged survives a power cut, as in a Durable
 *   Object; NORMAL: it survives a crash of the process alone
 * @returns the class that the library makes one of for each of its models
 */
export function sqliteAdapter({ file, synchronous }) {
  const database = new DatabaseSync(file)
  database.exec(`${SCHEMA} PRAGMA synchronous = ${synchronous};`)
  const upsert = database.prepare(
    `INSERT INTO model (key, payload, grant_id, uid, user_code, expires_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
       user_code = excluded.user_code, expires_at = excluded.expires_at`,
  )
  const find = database.prepare('SELECT payload, consumed_at, expires_at FROM model WHERE key = ?')
  const findByUid = database.prepare('SELECT payload, consumed_at, expires_at FROM model WHERE uid = ?')
  const findByUserCode = database.prepare('SELECT payload, consumed_at, expires_at FROM model WHERE user_code = ?')
  const consume = database.prepare('UPDATE model SET consumed_at = ? WHERE key = ?')
  const destroy = database.prepare('DELETE FROM model WHERE key = ?')
  const revoke = database.prepare('DELETE FROM model WHERE grant_id = ?')
  return class SqliteAdapter {
    constructor(model) {
      this.model = model
    }

    async upsert(id, payload, expiresIn) {
      const { grantId = null, uid = null, userCode = null } = payload
      const expiresAt = expiresIn ? now() + expiresIn : null
      upsert.run(`${this.model}:${id}`, JSON.stringify(payload), grantId, uid, userCode, expiresAt)
    }

    async find(id) {
      return read(find.get(`${this.model}:${id}`))
    }

    async findByUid(uid) {
      return read(findByUid.get(uid))
    }

    async findByUserCode(userCode) {
      return read(findByUserCode.get(userCode))
    }

    async consume(id) {
      consume.run(now(), `${this.model}:${id}`)
    }

    async destroy(id) {
      destroy.run(`${this.model}:${id}`)
    }

    async revokeByGrantId(grantId) {
      revoke.run(grantId)
    }
  }
}
