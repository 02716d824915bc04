// People of the product, made over HTTP as anybody would: accounts, cookies, tokens.
import { randomBytes } from 'node:crypto'
import { Connection, cookieOf, jsonOf } from './client.mjs'
import { VARS } from './server.mjs'

const JSON_TYPE = { 'content-type': 'application/json' }

export const post = async (connection, path, body, headers = {}) =>
  connection.request('POST', path, { ...JSON_TYPE, ...headers }, JSON.stringify(body))

/** A new account, signed in with a cookie. `device` is the cookie of a known browser. */
export async function signUp(connection) {
  const email = `${randomBytes(9).toString('hex')}@example.test`
  const password = randomBytes(18).toString('base64url')
  const reply = await post(connection, '/api/sign-up', { email, password })
  const { sub, sid } = jsonOf(reply)
  return { email, password, sub, sid, session: cookieOf(reply, '__Host-session'), device: cookieOf(reply, '__Host-device') }
}

/** Signs in as a known browser; with a cookie, or to a family of tokens. Answers the reply. */
export function signIn(connection, { email, password, device }, use = 'cookie') {
  return post(connection, '/api/sign-in', { email, password, use }, { cookie: `__Host-device=${device}` })
}

/** An access token of the person's session. */
export async function accessToken(connection, { session }) {
  const headers = { cookie: `__Host-session=${session}`, origin: VARS.ISSUER }
  return jsonOf(await post(connection, '/api/token', {}, headers)).access_token
}

/** One refresh; answers the next refresh token. */
export async function refresh(connection, refresh_token) {
  return jsonOf(await post(connection, '/api/refresh', { refresh_token })).refresh_token
}

/** `count` new people at a server. */
export async function peopleAt(port, count) {
  const connections = await Promise.all(Array.from({ length: Math.min(count, 8) }, () => Connection.open(port)))
  const people = []
  await Promise.all(
    connections.map(async (connection) => {
      for (let made = people.length; made < count; made = people.length) {
        const slot = people.push(null) - 1
        people[slot] = await signUp(connection)
      }
    }),
  )
  for (const connection of connections) connection.close()
  return people
}
