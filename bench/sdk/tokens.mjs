// Keys and access tokens of the bench's own: for peers, which cannot take the product's, and where each request needs another token.
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { VARS } from '../server.mjs'

/** Seconds: the longest life that the verifier accepts. */
const LIFETIME = 300

const id = () => randomBytes(16).toString('base64url')
const segment = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What Sallyport says in an access token, so that all tokens here have the size of its own. */
function claims() {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: VARS.ISSUER,
    sub: id(),
    aud: VARS.ISSUER,
    exp: iat + LIFETIME,
    iat,
    jti: id(),
    client_id: 'first-party',
    scope: 'account',
    sid: id(),
    ver: 0,
    auth_time: iat,
    acr: '1',
    amr: ['pwd'],
    roles: [],
  }
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const kid = id()

export const SECRET = randomBytes(32).toString('hex')
export const PUBLIC_PEM = publicKey.export({ type: 'spki', format: 'pem' })
export const JWKS = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }] }

/** A token nobody has seen. Some peers refuse any other `typ` than JWT. */
export function es256Token(typ = 'JWT') {
  const signed = `${segment({ alg: 'ES256', typ, kid })}.${segment(claims())}`
  return `${signed}.${sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

/** The same under a shared secret. */
export function hs256Token() {
  const signed = `${segment({ alg: 'HS256', typ: 'JWT' })}.${segment(claims())}`
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}

/** The key set over HTTP, for those who fetch it. */
export async function serveJwks() {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(JWKS))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}/jwks.json`, stop: () => server.close() }
}
