// better-auth with its in-memory adapter, and with or without its cookie cache.
import { betterAuth } from 'better-auth'
import { Hono } from 'hono'

const tables = { user: [], session: [], account: [], verification: [], rateLimit: [] }
let auth

async function make({ SECRET, CACHE }) {
  // Imported late: esbuild would leave a static import of the adapter uninitialised.
  const { memoryAdapter } = await import('better-auth/adapters/memory')
  return betterAuth({
    baseURL: 'http://127.0.0.1',
    secret: SECRET,
    trustedOrigins: ['*'],
    database: memoryAdapter(tables),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { disabled: true },
    // Longer than the bench: the client never takes the renewed cookie.
    session: { cookieCache: { enabled: CACHE, maxAge: 86_400 } },
  })
}

const app = new Hono()
app.use(async (c, next) => {
  auth ??= await make(c.env)
  await next()
})
app.on(['GET', 'POST'], '/api/auth/*', (c) => auth.handler(c.req.raw))
app.get('/', async (c) => {
  const found = await auth.api.getSession({ headers: c.req.raw.headers })
  return found ? c.json({ sub: found.user.id, sid: found.session.id }) : c.json({ error: 'unauthorized' }, 401)
})

export default app
