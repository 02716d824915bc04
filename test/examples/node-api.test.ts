import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Example, startExample } from '../support/node/example.ts'
import { type Client, createClient } from '../support/node/http.ts'

let example: Example
let client: Client
let api: Client
beforeAll(async () => {
  example = await startExample('node-api')
  client = createClient(example.sallyport)
  api = createClient(example.nodeApi)
})
afterAll(async () => {
  client.close()
  api.close()
  expect(await example.stop()).toBe(0)
})

const PASSWORD = 'violet-otter-41-lantern'

async function signUp(email: string, scope = 'notes:read notes:write') {
  const body = { email, password: PASSWORD, use: 'tokens', audience: example.nodeApi, scope }
  return (await client.post<{ access_token: string; refresh_token: string; sid: string }>('/api/sign-up', body)).json
}

const ask = (token: string) => api.get('/notes', { authorization: `Bearer ${token}` })

test('a token for this service is accepted, and one for another is not', async () => {
  const { access_token } = await signUp('ada@example.com')
  const reply = await ask(access_token)
  expect(reply.status).toBe(200)
  expect(reply.json).toMatchObject({ sub: expect.any(String), roles: [], freshness: 'fresh' })
  const other = (await client.post('/api/sign-in', { email: 'ada@example.com', password: PASSWORD, use: 'tokens' })).json
  const refused = await ask(String(other.access_token))
  expect([refused.status, refused.json.code]).toEqual([401, 'token_invalid'])
  expect(refused.headers['www-authenticate']).toBe('Bearer error="invalid_token"')
})

test('without a token there is a challenge', async () => {
  const reply = await api.get('/notes')
  expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer'])
})

test('each route needs its scope, and its refusal names it', async () => {
  const { access_token } = await signUp('dan@example.com', 'notes:read')
  expect((await ask(access_token)).status).toBe(200)
  const refused = await api.post('/notes', undefined, { authorization: `Bearer ${access_token}` })
  expect([refused.status, refused.json.code]).toEqual([403, 'insufficient_scope'])
  expect(refused.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="notes:write"')
  const other = await signUp('eli@example.com', 'account')
  expect((await ask(other.access_token)).status).toBe(403)
  expect((await api.get('/anything', { authorization: `Bearer ${access_token}` })).status).toBe(404)
})

test('what changes something asks Sallyport itself, and is refused on the next request after a sign-out', async () => {
  const { access_token, refresh_token } = await signUp('cyd@example.com')
  const change = () => api.post('/notes', undefined, { authorization: `Bearer ${access_token}` })
  expect((await change()).json).toMatchObject({ sub: expect.any(String), freshness: 'live' })
  expect((await client.post('/api/sign-out', { refresh_token })).status).toBe(204)
  const refused = await change()
  expect([refused.status, refused.json.code]).toEqual([401, 'token_revoked'])
})

test('a sign-out is pushed: the token is refused within half a second', async () => {
  const { access_token, refresh_token } = await signUp('bob@example.com')
  expect((await ask(access_token)).status).toBe(200)
  expect((await client.post('/api/sign-out', { refresh_token })).status).toBe(204)
  const acknowledged = Date.now()
  await expect.poll(async () => (await ask(access_token)).status, { interval: 5 }).toBe(401)
  expect(Date.now() - acknowledged).toBeLessThan(500)
  expect((await ask(access_token)).json.code).toBe('token_revoked')
})
