// Hono's own middleware: `jwk` with the keys or with their address, `jwt` with a shared secret.
import { Hono } from 'hono'
import { jwk } from 'hono/jwk'
import { jwt } from 'hono/jwt'

let middleware

function make({ MODE, JWKS, JWKS_URL, SECRET, ISSUER }) {
  const verification = { iss: ISSUER, aud: ISSUER }
  if (MODE === 'secret') return jwt({ secret: SECRET, alg: 'HS256', verification })
  return MODE === 'keys'
    ? jwk({ keys: JWKS.keys, alg: ['ES256'], verification })
    : jwk({ jwks_uri: JWKS_URL, alg: ['ES256'], verification })
}

const app = new Hono()
app.use((c, next) => {
  middleware ??= make(c.env)
  return middleware(c, next)
})
app.get('/', (c) => {
  const { sub, sid } = c.get('jwtPayload')
  return c.json({ sub, sid })
})

export default app
