import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  app,
  browser,
  demo,
  fromOwnPage,
  headerOf,
  hybridToken,
  msUntil,
  operatorOf,
  refresh,
  requireStatus,
  signIn,
  signInForTokens,
  signUp,
  signUpForTokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

describe('after kill -9, on the same port and directory (contract 3)', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop())

  test('sessions, tokens, keys and denials are as they were acknowledged', async () => {
    const person = browser(server.origin)
    const client = app(server.origin)
    const session = await signUp(person, 'ann@example.com')
    const hybrid = await hybridToken(person, server)
    const tokens = await signInForTokens(client, 'ann@example.com')
    const lost = requireStatus(await refresh(client, tokens.refresh_token), 200).json
    const ended = await signInForTokens(client, 'ann@example.com')
    expect((await client.post('/api/sign-out', { refresh_token: ended.refresh_token })).status).toBe(204)
    const keys = (await client.get<{ keys: { alg: string }[] }>('/.well-known/jwks.json')).json
    expect(keys.keys.map(({ alg }) => alg).sort()).toEqual(['ES256', 'ES256', 'RS256', 'RS256'])
    const feed = (await client.get('/revocations')).bytes

    await server.kill9()
    await server.restart()

    expect((await person.get('/api/session')).json).toMatchObject({ sid: session.sid })
    expect((await demo(client, 'fresh', hybrid)).status).toBe(200)
    expect((await client.get('/.well-known/jwks.json')).json).toEqual(keys)
    expect(requireStatus(await refresh(client, tokens.refresh_token), 200).json.refresh_token).toBe(lost.refresh_token)
    expect((await refresh(client, lost.refresh_token)).status).toBe(200)
    for (const freshness of ['live', 'fresh'] as const) expect((await demo(client, freshness, ended.access_token)).status).toBe(401)
    expect((await refresh(client, ended.refresh_token)).status).toBe(400)
    // The same log: epoch, sequence and key; only asOf has moved on.
    const after = (await client.get('/revocations')).bytes
    for (const [from, to] of [[8, 24], [32, 56]] as const) expect(after.subarray(from, to)).toEqual(feed.subarray(from, to)) // biome-ignore format: offsets
    expect((await client.post('/api/sign-up', { email: 'ann@example.com', password: 'violet-otter-41-lantern' })).status).toBe(409)
    person.close()
    client.close()
  })
})

describe('two edges over one set of objects (contract 15)', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer({ workers: 2 })
  })
  afterAll(() => server.stop())

  test('a revocation at one is refused at the other: live at once, fresh within 5 s', async () => {
    const [one = '', two = ''] = server.origins
    const [here, there] = [app(one), app(two)]
    for (const revoke of ['sign-out', 'roles', 'key'] as const) {
      const tokens = await signUpForTokens(here, `${revoke}@example.com`)
      expect((await demo(there, 'fresh', tokens.access_token)).status).toBe(200)
      if (revoke === 'sign-out') requireStatus(await here.post('/api/sign-out', { refresh_token: tokens.refresh_token }), 204)
      if (revoke === 'roles') {
        const found = await here.get<{ sub: string }>(`/admin/api/accounts?email=${revoke}@example.com`, operatorOf(server))
        requireStatus(await here.put(`/admin/api/accounts/${found.json.sub}/roles`, { roles: ['editor'] }, operatorOf(server)), 204)
      }
      if (revoke === 'key') {
        const { kid } = JSON.parse(Buffer.from(tokens.access_token.split('.')[0] ?? '', 'base64url').toString())
        requireStatus(await here.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server)), 204)
      }
      expect([revoke, (await demo(there, 'live', tokens.access_token)).status]).toEqual([revoke, 401])
      await msUntil(5_000, 401, () => demo(there, 'fresh', tokens.access_token))
      // The other edge's signer does not go on with a denied key.
      const again = await signInForTokens(there, `${revoke}@example.com`)
      await msUntil(5_000, 200, () => demo(here, 'fresh', again.access_token))
    }
    here.close()
    there.close()
  })

  test('a key revoked at one is refused live at the other, even right after the other has minted a token', async () => {
    const [one = '', two = ''] = server.origins
    const [here, there] = [app(one), browser(two)]
    await signUp(there, 'minter@example.com')
    for (let round = 0; round < 3; round++) {
      const own = { origin: server.vars.ISSUER ?? '' }
      const stolen = requireStatus(await there.post<{ access_token: string }>('/api/token', {}, own), 200).json.access_token
      expect((await demo(there, 'live', stolen)).status).toBe(200)
      const { kid } = headerOf(stolen)
      requireStatus(await here.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server)), 204)
      requireStatus(await there.post('/api/token', {}, own), 200)
      const started = performance.now()
      expect([round, (await demo(there, 'live', stolen)).status]).toEqual([round, 401])
      // Nobody waits for a poll that died with another request.
      expect(performance.now() - started).toBeLessThan(1_500)
    }
    here.close()
    there.close()
  })

  test('a cookie of one is a cookie of the other, and ends there too', async () => {
    const [one = '', two = ''] = server.origins
    const person = browser(one)
    await signUp(person, 'both@example.com')
    await signIn(person, 'both@example.com')
    const cookie = { cookie: [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }
    const there = app(two)
    expect((await there.get('/api/session', cookie)).status).toBe(200)
    requireStatus(await person.post('/api/sign-out', undefined, fromOwnPage(server)), 204)
    expect((await there.get('/api/session', cookie)).status).toBe(401)
    person.close()
    there.close()
  })
})
