// jose with a remote key set, as its documentation shows it.
import { Hono } from 'hono'
import { createRemoteJWKSet, jwtVerify } from 'jose'

let keys

const app = new Hono()
app.get('/', async (c) => {
  const header = c.req.header('authorization')
  if (!header?.startsWith('Bearer ')) return c.json({ error: 'unauthorized' }, 401)
  const { JWKS_URL, ISSUER } = c.env
  keys ??= createRemoteJWKSet(new URL(JWKS_URL))
  try {
    const { payload } = await jwtVerify(header.slice(7), keys, { issuer: ISSUER, audience: ISSUER, algorithms: ['ES256'] })
    return c.json({ sub: payload.sub, sid: payload.sid })
  } catch {
    return c.json({ error: 'unauthorized' }, 401)
  }
})

export default app
