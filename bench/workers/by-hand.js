// The least that a durable, single-use refresh can be: one call to an object that reads and writes one row in one transaction, and one ES256
// signature. No check of what is presented, no token format, no headers: a floor to read the other rows by, not a design.
import { DurableObject } from 'cloudflare:workers'
import { Hono } from 'hono'

export class Row extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS family (id INTEGER PRIMARY KEY, generation INTEGER NOT NULL) STRICT')
    ctx.storage.sql.exec('INSERT OR IGNORE INTO family VALUES (1, 1)')
  }

  rotate() {
    const { sql } = this.ctx.storage
    return this.ctx.storage.transactionSync(() => {
      const { generation } = sql.exec('SELECT generation FROM family WHERE id = 1').one()
      sql.exec('UPDATE family SET generation = ? WHERE id = 1', generation + 1)
      return generation + 1
    })
  }
}

const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const PADDING = 'x'.repeat(470)
let key

const app = new Hono()
app.post('/refresh', async (c) => {
  const { refresh_token } = await c.req.json()
  const generation = await c.env.ROW.getByName(refresh_token).rotate()
  key ??= (await crypto.subtle.generateKey(ES256, false, ['sign', 'verify'])).privateKey
  const signature = await crypto.subtle.sign(ES256, key, new TextEncoder().encode(PADDING + generation))
  const access_token = PADDING + Buffer.from(signature).toString('base64url')
  return c.json({ access_token, token_type: 'Bearer', expires_in: 300, refresh_token, scope: 'account' })
})

export default app
