// The least that a token seen before can cost: its header read, and looked up in a Map, by hand in one handler. Nothing is checked: no
// expiry, no denial, no age of what is known. A mark, not a product.
import { Hono } from 'hono'

const WHO = { sub: '0123456789012345678901', sid: '0123456789012345678901' }
const KEPT = 10_000

const known = new Map()
const randomId = () => crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: 'base64url', omitPadding: true })

const app = new Hono()

/** Keeps the token, and as many others of its length as make 10,000. */
app.post('/keep', (c) => {
  const header = c.req.raw.headers.get('authorization')
  const others = header.slice(0, -randomId().length)
  known.clear()
  while (known.size < KEPT - 1) known.set(others + randomId(), { claims: { ...WHO } })
  known.set(header, { claims: { ...WHO } })
  return c.json({})
})

app.get('/header', (c) => (c.req.raw.headers.get('authorization') === null ? c.json({ error: 'unauthorized' }, 401) : c.json(WHO)))

app.get('/map', (c) => {
  const auth = known.get(c.req.raw.headers.get('authorization'))
  if (auth === undefined) return c.json({ error: 'unauthorized' }, 401)
  c.set('auth', auth)
  const { sub, sid } = c.get('auth').claims
  return c.json({ sub, sid })
})

export default app
