// One object call a request and nothing else: the least that any answer from storage costs; `/rpc` asks for it over a service binding.
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers'
import { Hono } from 'hono'

export class Session extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env)
    ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS session (sub TEXT, sid TEXT) STRICT')
  }

  begin(sub, sid) {
    this.ctx.storage.sql.exec('INSERT INTO session (sub, sid) VALUES (?, ?)', sub, sid)
  }

  session() {
    return this.ctx.storage.sql.exec('SELECT sub, sid FROM session').toArray()[0] ?? null
  }
}

/** Bound to its own Worker: another one's would cost no less. */
export class Sessions extends WorkerEntrypoint {
  session(name) {
    return this.env.SESSION.getByName(name).session()
  }
}

const app = new Hono()
app.post('/begin', async (c) => {
  await c.env.SESSION.getByName('one').begin('0123456789012345678901', '0123456789012345678901')
  return c.json({})
})
app.get('/', async (c) => {
  const session = await c.env.SESSION.getByName(c.req.header('cookie') ?? '').session()
  return session === null ? c.json({ error: 'unauthorized' }, 401) : c.json(session)
})
app.get('/rpc', async (c) => {
  const session = await c.env.SESSIONS.session(c.req.header('cookie') ?? '')
  return session === null ? c.json({ error: 'unauthorized' }, 401) : c.json(session)
})

export default app
