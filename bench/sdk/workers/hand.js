// The least that a first sight costs: one WebCrypto check and one JSON.parse by hand, none of the strictness. A mark, not a product.
import { Hono } from 'hono'

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const bytesOf = (text) => Uint8Array.fromBase64(text, { alphabet: 'base64url' })
let key

async function verify(token, { JWKS, ISSUER }) {
  const payloadAt = token.indexOf('.') + 1
  const signatureAt = token.indexOf('.', payloadAt) + 1
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  key ??= await crypto.subtle.importKey('jwk', JWKS.keys[0], algorithm, false, ['verify'])
  const signed = encoder.encode(token.slice(0, signatureAt - 1))
  if (!(await crypto.subtle.verify(algorithm, key, bytesOf(token.slice(signatureAt)), signed))) return null
  const claims = JSON.parse(decoder.decode(bytesOf(token.slice(payloadAt, signatureAt - 1))))
  return claims.iss === ISSUER && claims.aud === ISSUER && claims.exp * 1000 > Date.now() ? claims : null
}

const app = new Hono()
app.get('/', async (c) => {
  const claims = await verify(c.req.header('authorization')?.slice(7) ?? '', c.env)
  return claims ? c.json({ sub: claims.sub, sid: claims.sid }) : c.json({ error: 'unauthorized' }, 401)
})

export default app
