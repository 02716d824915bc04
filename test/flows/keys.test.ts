import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { app, bearer, codeOf, demo, headerOf, msUntil, operatorOf, refresh, signUpForTokens, type Tokens } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

type Keys = { keys: { kid: string; alg: string; state: string }[] }

let server: Server
let client: Client
let tokens: Tokens
beforeAll(async () => {
  server = await startServer()
  client = app(server.origin)
  tokens = await signUpForTokens(client, 'keys@example.com')
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const listed = async () => (await client.get<Keys>('/admin/api/keys', operatorOf(server))).json.keys
const published = async () => (await client.get<{ keys: { kid: string }[] }>('/.well-known/jwks.json')).json.keys.map(({ kid }) => kid)
const next = async () => {
  tokens = (await refresh(client, tokens.refresh_token)).json
  return tokens.access_token
}

describe('signing keys (contract 29)', () => {
  test('of access tokens and of ID tokens, an active and a next one each, are published and listed, those of access tokens first', async () => {
    const kids = await published()
    const keys = await listed()
    expect(keys.map(({ state, alg }) => `${state} ${alg}`).sort()).toEqual(['active ES256', 'active RS256', 'next ES256', 'next RS256'])
    expect(keys.map(({ alg }) => alg)).toEqual(['ES256', 'ES256', 'RS256', 'RS256'])
    expect(kids.sort()).toEqual(keys.map(({ kid }) => kid).sort())
    expect(headerOf(tokens.access_token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: keys.find(({ state }) => state === 'active')?.kid })
  })

  test('a rotation lets the published key sign; tokens of the old one stay valid', async () => {
    const before = tokens.access_token
    const published_before = await published()
    const rotated = await client.post<{ kid: string }>('/admin/api/keys/rotate', undefined, operatorOf(server))
    expect(rotated.status).toBe(201)
    expect(published_before).toContain(rotated.json.kid)
    expect((await listed()).find(({ state }) => state === 'active')?.kid).toBe(rotated.json.kid)
    expect(headerOf(await next()).kid).toBe(rotated.json.kid)
    for (const freshness of ['offline', 'fresh', 'live'] as const) {
      expect((await demo(client, freshness, before)).status).toBe(200)
      expect((await demo(client, freshness, await next())).status).toBe(200)
    }
  })

  test('a revoked key is refused: live from the reply on, fresh within 5 s; new tokens come from another key', async () => {
    const stolen = await next()
    const { kid } = headerOf(stolen)
    expect((await client.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server))).status).toBe(204)
    const live = await demo(client, 'live', stolen)
    expect([live.status, live.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token", error_description="revoked"'])
    await msUntil(5_000, 401, () => demo(client, 'fresh', stolen))
    expect(await published()).not.toContain(kid)
    expect((await listed()).find((key) => key.kid === kid)?.state).toBe('revoked')
    const fresh = await next()
    expect(headerOf(fresh).kid).not.toBe(kid)
    expect((await demo(client, 'live', fresh)).status).toBe(200)
    expect((await client.get('/api/session', bearer(stolen))).status).toBe(401)
    expect((await client.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server))).status).toBe(204)
  })

  test('of ID tokens are rotated and revoked without touching those of access tokens', async () => {
    const before = await listed()
    const activeOf = async (alg: string) => (await listed()).find((key) => key.alg === alg && key.state === 'active')?.kid
    const [es256, rs256] = [await activeOf('ES256'), await activeOf('RS256')]
    const rotated = await client.post<{ kid: string }>('/admin/api/keys/rotate', { alg: 'RS256' }, operatorOf(server))
    expect([rotated.status, rotated.json.kid]).toEqual([201, await activeOf('RS256')])
    expect(before).toContainEqual({ kid: rotated.json.kid, alg: 'RS256', state: 'next' })
    expect(await published()).toContain(rs256)
    expect((await client.post(`/admin/api/keys/${rs256}/revoke`, undefined, operatorOf(server))).status).toBe(204)
    expect((await client.post(`/admin/api/keys/${rotated.json.kid}/revoke`, undefined, operatorOf(server))).status).toBe(204)
    const kids = await published()
    expect(kids).not.toContain(rs256)
    expect(kids).not.toContain(rotated.json.kid)
    expect(kids).toContain(await activeOf('RS256'))
    expect(await activeOf('ES256')).toBe(es256)
    expect((await demo(client, 'live', await next())).status).toBe(200)
  })

  test('of an algorithm that is not signed with cannot be rotated', async () => {
    const before = await listed()
    for (const alg of ['EdDSA', 'HS256', 'none', 'rs256', '', null, 7, ['RS256']]) {
      const reply = await client.post<{ errors: { pointer: string }[] }>('/admin/api/keys/rotate', { alg }, operatorOf(server))
      expect([alg, reply.status, codeOf(reply), reply.json.errors[0]?.pointer]).toEqual([alg, 400, 'invalid_request', '/alg'])
    }
    expect(await listed()).toEqual(before)
  })

  test('an unknown key cannot be revoked', async () => {
    for (const kid of ['unknown', '%00', '..%2f..', 'x'.repeat(5000)]) {
      const reply = await client.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server))
      expect([reply.status, codeOf(reply)]).toEqual([404, 'not_found'])
    }
  })
})

describe('operator routes (contract 29)', () => {
  test('refuse everything but the exact token', async () => {
    const token = server.vars.ADMIN_TOKEN ?? ''
    const wrong: Record<string, string>[] = [
      {},
      bearer(''),
      bearer(token.slice(0, -1)),
      bearer(`${token}x`),
      bearer(token.toUpperCase()),
      { authorization: token },
      { authorization: `Basic ${Buffer.from(`admin:${token}`).toString('base64')}` },
      bearer(tokens.access_token),
      { cookie: `ADMIN_TOKEN=${token}` },
    ]
    for (const headers of wrong) {
      for (const path of ['/admin/api/keys', '/admin/api/accounts?email=keys@example.com', '/admin/api/nowhere']) {
        const reply = await client.get(path, headers)
        expect([reply.status, codeOf(reply), reply.headers['www-authenticate']]).toEqual([
          401,
          'invalid_token',
          'Bearer error="invalid_token"',
        ])
      }
    }
    expect((await client.get(`/admin/api/keys?access_token=${token}`)).status).toBe(401)
  })

  test('answer 404 for an account that does not exist, and make none', async () => {
    const operator = operatorOf(server)
    expect((await client.get('/admin/api/accounts?email=nobody@example.com', operator)).status).toBe(404)
    for (const sub of ['AAAAAAAAAAAAAAAAAAAAAA', 'short', '%00', 'x'.repeat(3000)]) {
      expect((await client.post(`/admin/api/accounts/${sub}/ban`, undefined, operator)).status).toBe(404)
      expect((await client.put(`/admin/api/accounts/${sub}/roles`, { roles: ['a'] }, operator)).status).toBe(404)
      expect((await client.delete(`/admin/api/accounts/${sub}/sessions`, operator)).status).toBe(404)
    }
    expect((await client.get('/admin/api/accounts?email=nonsense', operator)).status).toBe(400)
    expect((await client.get('/admin/api/accounts', operator)).status).toBe(400)
  })

  test('find an account in any spelling of its address', async () => {
    const found = await client.get('/admin/api/accounts?email=%20KEYS@Example.com', operatorOf(server))
    expect(found.json).toEqual({ sub: expect.any(String), email: 'keys@example.com', name: null, roles: [], banned: false })
  })
})
