// The bare route behind a middleware that does nothing: what Hono itself takes for there being one.
import { Hono } from 'hono'

const WHO = { sub: '0123456789012345678901', sid: '0123456789012345678901' }

const app = new Hono()
app.get(
  '/',
  async function empty(_c, next) {
    return next()
  },
  (c) => c.json(WHO),
)

export default app
