import { exports } from 'cloudflare:workers'
import { expect, test } from 'vitest'
import { decodeBase64url } from '../../../src/protocol/base64url.ts'
import { readBearer } from '../../../src/protocol/bearer.ts'
import { hostileTokens, isHeaderText, type Loot } from '../hostile-tokens.ts'
import { makeKey, sign } from '../issuer.ts'

const ORIGIN = 'http://localhost:8787'
const COUNT = 2200

const send = (method: string, path: string, headers: Record<string, string> = {}, body?: object): Promise<Response> =>
  exports.default.fetch(new Request(`${ORIGIN}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }))

/** Every route that takes an access token. */
const routes = [
  ['GET', '/api/demo/offline'],
  ['GET', '/api/demo/fresh'],
  ['GET', '/api/demo/live'],
  ['GET', '/api/session'],
  ['GET', '/api/sessions'],
  ['DELETE', '/api/sessions'],
  ['DELETE', '/api/sessions/some-session'],
] as const

const read = (part: string | undefined): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(decodeBase64url(part ?? '') ?? undefined))

/** A token of the running Worker, and a key that claims to be its own. */
async function lootOf(): Promise<Loot> {
  const person = { email: 'hostile@example.com', password: 'violet-otter-41-lantern', use: 'tokens' }
  const json = { 'content-type': 'application/json' }
  const made = await send('POST', '/api/sign-up', json, person)
  const { access_token: token } = await made.json<{ access_token: string }>()
  const { keys } = await (await send('GET', '/.well-known/jwks.json')).json<{ keys: Record<string, unknown>[] }>()
  const [header, claims] = token.split('.').map((part, at) => (at < 2 ? read(part) : {}))
  const publicJwk = keys.find(({ kid }) => kid === header?.kid)
  if (header === undefined || claims === undefined || publicJwk === undefined) throw new Error('no token to attack with')
  const stranger = await makeKey(String(header.kid))
  return { token, header, claims, publicJwk, sign: (signed) => sign(stranger, signed) }
}

test('2,000 hostile tokens at the routes of the Worker: none accepted, no 5xx, one shape for all that are bearer tokens', async () => {
  const loot = await lootOf()
  expect((await send('GET', '/api/demo/live', { authorization: `Bearer ${loot.token}` })).status).toBe(200)
  const shapes = new Map<string, string>()
  let tried = 0
  for await (const { attack, token } of hostileTokens(loot, COUNT, 20261124)) {
    if (token.trim() === loot.token || !isHeaderText(token)) continue
    const headers = { authorization: `Bearer ${token}` }
    const isBearer = readBearer(new Headers(headers), ORIGIN).ok
    const [method, path] = routes[tried++ % routes.length] ?? routes[0]
    const response = await send(method, path, headers)
    const { code } = await response.json<{ code: string }>()
    if (isBearer) shapes.set(`${response.status} ${code} ${response.headers.get('www-authenticate')}`, `${attack} at ${path}`)
    else expect([400, 431]).toContain(response.status)
  }
  expect(tried).toBeGreaterThan(2000)
  expect([...shapes.keys()]).toEqual(['401 token_invalid Bearer error="invalid_token"'])
  expect((await send('GET', '/api/demo/live', { authorization: `Bearer ${loot.token}` })).status).toBe(200)
}, 60_000)
