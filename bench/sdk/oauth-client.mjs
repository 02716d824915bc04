// An OAuth client that people let in, as any web app would be: by the authorization code flow, over HTTP.
import { createHash, randomBytes } from 'node:crypto'
import { jsonOf } from '../client.mjs'
import { VARS } from '../server.mjs'

const CLIENT_ID = 'bench-app'
const SECRET = randomBytes(32).toString('base64url')
const CALLBACK = 'https://app.example.test/callback'
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const BASIC = { authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${SECRET}`).toString('base64')}` }

const sha256 = (text) => createHash('sha256').update(text).digest('base64url')

/** The client, as a product's configuration names it. */
export const CLIENTS_TOML = `[[client]]
client_id = "${CLIENT_ID}"
redirect_uris = ["${CALLBACK}"]
token_endpoint_auth_method = "client_secret_basic"
client_secret_sha256 = ["${sha256(SECRET)}"]
`

const postForm = (connection, path, fields, headers) =>
  connection.request('POST', path, { ...FORM, ...headers }, new URLSearchParams(fields).toString())

/** The person signs in to the client and allows what it asks; answers its access token. */
export async function clientToken(connection, { session }) {
  const cookie = `__Host-session=${session}`
  const code_verifier = randomBytes(32).toString('base64url')
  const asked = { response_type: 'code', client_id: CLIENT_ID, redirect_uri: CALLBACK, scope: 'openid', code_challenge_method: 'S256' }
  const query = new URLSearchParams({ ...asked, code_challenge: sha256(code_verifier), state: 'bench' })
  const page = await connection.request('GET', `/oauth/authorize?${query}`, { cookie })
  const field = /<input[^>]*name="interaction"[^>]*>/.exec(page.text)?.[0] ?? ''
  const interaction = /value="([^"]+)"/.exec(field)?.[1]
  if (interaction === undefined) throw new Error(`no consent page: ${page.status} ${page.text.slice(0, 200)}`)
  const allowed = await postForm(connection, '/consent', { interaction, decision: 'allow' }, { cookie, origin: VARS.ISSUER })
  const location = /\r\nlocation: ([^\r]+)/i.exec(allowed.head)?.[1] ?? ''
  const code = URL.canParse(location) ? new URL(location).searchParams.get('code') : null
  if (code === null) throw new Error(`no code: ${allowed.status} ${location}`)
  const grant = { grant_type: 'authorization_code', code, code_verifier, redirect_uri: CALLBACK }
  return jsonOf(await postForm(connection, '/oauth/token', grant, BASIC)).access_token
}

/** The client takes one of its tokens back (RFC 7009). */
export const revokeToken = (connection, token) => postForm(connection, '/oauth/revoke', { token }, BASIC)
