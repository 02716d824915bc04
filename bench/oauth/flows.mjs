// What an OAuth client sends, on a connection of client.mjs.
import { createHash, randomBytes } from 'node:crypto'
import { jsonOf } from '../client.mjs'

export const CALLBACK = 'https://client.example.test/cb'

/** Ids of clients where the server lets them be chosen. */
export const PUBLIC = 'public-client'
/** Registered for ES256 ID tokens. */
export const PUBLIC_ES256 = 'public-client-es256'
export const SERVICE = 'service-client'
/** In CLIENTS_TOML: an app of the deployment's own, and the resource server of its audience. */
export const CONFIGURED_APP = 'configured-app'
export const CONFIGURED_API = 'configured-api'

const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' }

export const pkce = () => {
  const code_verifier = randomBytes(32).toString('base64url')
  return { code_verifier, code_challenge: createHash('sha256').update(code_verifier).digest('base64url') }
}

/** RFC 6749, 2.3.1; no character of ours needs its encoding. */
export const basic = (id, secret) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` })

/** Posts a form; answers the JSON, throws what came instead. */
export async function postForm(connection, path, fields, headers = {}) {
  return jsonOf(await connection.request('POST', path, { ...FORM_TYPE, ...headers }, new URLSearchParams(fields).toString()))
}

export function authorizationQuery({ client_id, code_challenge, ...more }) {
  const fixed = { response_type: 'code', redirect_uri: CALLBACK, state: 'state', code_challenge_method: 'S256' }
  return new URLSearchParams({ ...fixed, client_id, code_challenge, ...more }).toString()
}

export const locationOf = ({ head, status, text }) => {
  const location = /\r\nlocation: ([^\r]+)/i.exec(head)?.[1]
  if (!location) throw new Error(`${status} sends nowhere: ${text.slice(0, 300)}`)
  return location
}

/** The code in the address that a client is answered at. */
export function codeIn(address) {
  const code = new URL(address).searchParams.get('code')
  if (!code) throw new Error(`no code: ${address}`)
  return code
}

/** One redemption; throws unless there is all that was asked for. */
export async function redeem(connection, path, { fields, headers, openid }) {
  const answer = await postForm(connection, path, { grant_type: 'authorization_code', redirect_uri: CALLBACK, ...fields }, headers)
  requireTokens(answer, openid)
  return answer
}

function requireTokens(answer, openid) {
  if (!answer.access_token || !answer.refresh_token) throw new Error(`a token is missing: ${Object.keys(answer)}`)
  if (openid !== (answer.id_token !== undefined)) throw new Error(`an ID token is ${openid ? 'missing' : 'there'}`)
}

/** One refresh; answers the next refresh token. */
export async function refreshOnce(connection, path, refresh_token, { fields, openid }) {
  const answer = await postForm(connection, path, { grant_type: 'refresh_token', refresh_token, ...fields })
  requireTokens(answer, openid)
  if (answer.refresh_token === refresh_token) throw new Error('the refresh token was not rotated')
  return answer.refresh_token
}
