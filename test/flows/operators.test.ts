import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeFeed } from '../../src/protocol/feed.ts'
import type { Client } from '../support/node/http.ts'
import {
  app,
  bearer,
  claimsOf,
  codeOf,
  demo,
  FRESHNESSES,
  headerOf,
  operatorOf,
  PASSWORD,
  type Problem,
  refresh,
  requireStatus,
  signInForTokens,
  signUp,
  signUpForTokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const NOBODY = 'AAAAAAAAAAAAAAAAAAAAAA'
const ROUTES = [
  ['GET', '/admin/api/keys'],
  ['POST', '/admin/api/keys/rotate'],
  ['POST', `/admin/api/keys/${NOBODY}/revoke`],
  ['POST', '/admin/api/revocations/renew'],
  ['GET', '/admin/api/accounts?email=nobody@example.com'],
  ['POST', `/admin/api/accounts/${NOBODY}/ban`],
  ['POST', `/admin/api/accounts/${NOBODY}/unban`],
  ['PUT', `/admin/api/accounts/${NOBODY}/roles`],
  ['DELETE', `/admin/api/accounts/${NOBODY}/sessions`],
] as const

let server: Server
let client: Client
beforeAll(async () => {
  server = await startServer({ workers: 2 })
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const operate = (method: string, path: string, body?: object) =>
  client.request<Problem>(method, `/admin/api/accounts/${path}`, body, operatorOf(server))

const banned = async (email: string) =>
  (await client.get<{ banned: boolean }>(`/admin/api/accounts?email=${email}`, operatorOf(server))).json.banned

describe('the operator routes (contract 29)', () => {
  test.each(ROUTES)('%s %s answers 401 to everybody else, before it looks at anything', async (method, path) => {
    const { access_token } = await signInOrUp('no-operator@example.com')
    for (const headers of [{}, bearer(access_token)]) {
      const reply = await client.request(method, path, method === 'PUT' ? '{' : undefined, headers)
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"'])
    }
  })

  test('are 404 without ADMIN_TOKEN, each as a path that never was', async () => {
    const without = await startServer({ vars: { ADMIN_TOKEN: '' } })
    const stranger = app(without.origin)
    const others = [
      ['GET', '/admin/api'],
      ['POST', '/admin/api/keys'],
      ['GET', '/admin/api/nowhere'],
    ] as const
    for (const [method, path] of [...ROUTES, ...others]) {
      for (const headers of [{}, bearer(''), operatorOf(server)]) {
        const reply = await stranger.request(method, path, undefined, headers)
        expect([path, reply.status, codeOf(reply), reply.headers['www-authenticate']]).toEqual([path, 404, 'not_found', undefined])
      }
    }
    stranger.close()
    await without.stop()
  })

  test('rotate: whoever starts to sign after it signs with the new key, and all accept it', async () => {
    const rotated = await client.post<{ kid: string }>('/admin/api/keys/rotate', undefined, operatorOf(server))
    const other = app(server.origins[1] ?? '')
    const { access_token } = await signUpForTokens(other, 'after-rotation@example.com')
    expect(headerOf(access_token).kid).toBe(rotated.json.kid)
    for (const freshness of FRESHNESSES) expect((await demo(client, freshness, access_token)).status).toBe(200)
    other.close()
  })

  test('ban and unban can be repeated; a ban shows in nothing that a stranger is told, and what it ended stays ended', async () => {
    const email = 'banned@example.com'
    const { sub } = await signUp(client, email)
    const tokens = await signInForTokens(client, email)
    const ask = (password: string) => client.post<Problem>('/api/sign-in', { email, password })
    const wrong = await ask('grumpy-heron-77-window')
    for (let time = 0; time < 2; time++) expect((await operate('POST', `${sub}/ban`)).status).toBe(204)
    const right = await ask(PASSWORD)
    const told = ({ request_id: _, ...body }: Problem) => body
    expect([right.status, told(right.json), right.setCookies]).toEqual([401, told(wrong.json), []])
    expect(Object.keys(right.headers).sort()).toEqual(Object.keys(wrong.headers).sort())
    expect(await banned(email)).toBe(true)
    for (let time = 0; time < 2; time++) expect((await operate('POST', `${sub}/unban`)).status).toBe(204)
    expect(await banned(email)).toBe(false)
    expect((await signInForTokens(client, email)).sid).not.toBe(tokens.sid)
    expect(codeOf(await refresh(client, tokens.refresh_token))).toBe('invalid_grant')
    expect((await demo(client, 'live', tokens.access_token)).status).toBe(401)
  })

  test('set roles: the same ones in another order outdate nothing, others do, and sessions live on', async () => {
    const tokens = await signUpForTokens(client, 'promoted@example.com')
    const { sub } = claimsOf(tokens.access_token)
    const set = async (roles: string[]) => requireStatus(await operate('PUT', `${sub}/roles`, { roles }), 204)
    const next = async () => requireStatus(await refresh(client, tokens.refresh_token), 200).json.access_token
    await set(['editor', 'admin'])
    const editor = await next()
    expect(new Set(claimsOf(editor).roles)).toEqual(new Set(['editor', 'admin']))
    await set(['admin', 'editor', 'editor'])
    expect((await demo(client, 'live', editor)).status).toBe(200)
    await set([])
    expect(codeOf(await demo(client, 'live', editor))).toBe('token_outdated')
    expect(claimsOf(await next()).roles).toEqual([])
  })

  test('renew the revocation list: another epoch that says when it began, with all that was denied; nobody valid is refused', async () => {
    const [valid, ended] = await Promise.all(['stays@example.com', 'goes@example.com'].map((email) => signUpForTokens(client, email)))
    const feed = async () => {
      const decoding = decodeFeed((await client.get('/revocations')).bytes)
      if (!decoding.ok) throw new Error('malformed')
      return decoding
    }
    for (const freshness of FRESHNESSES) expect((await demo(client, freshness, valid?.access_token ?? '')).status).toBe(200)
    await operate('DELETE', `${claimsOf(ended?.access_token ?? '').sub}/sessions`)
    const before = await feed()
    const from = Date.now()
    const renew = () => client.post('/admin/api/revocations/renew', undefined, operatorOf(server))
    expect((await renew()).status).toBe(204)
    const after = await feed()
    expect(after.header.epoch).not.toBe(before.header.epoch)
    expect(after.header.epochStart).toBeGreaterThanOrEqual(from)
    expect([after.header.key, after.count]).toEqual([before.header.key, before.count])
    expect((await renew()).status).toBe(204)
    expect((await feed()).header.epoch).not.toBe(after.header.epoch)
    // Past the age at which a view is asked for anew.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    for (const freshness of ['fresh', 'live'] as const) {
      expect((await demo(client, freshness, valid?.access_token ?? '')).status).toBe(200)
      expect((await demo(client, freshness, ended?.access_token ?? '')).status).toBe(401)
    }
  })

  test.each([
    ['a name of 65 characters', ['r'.repeat(65)]],
    ['an empty name', ['']],
    ['a space in a name', ['two words']],
    ['a number', [1]],
    ['33 roles', Array.from({ length: 33 }, (_, nth) => `role-${nth}`)],
    ['no list', 'editor'],
  ])('refuse roles with %s', async (_, roles) => {
    const { sub } = claimsOf((await signInOrUp('no-operator@example.com')).access_token)
    const reply = await operate('PUT', `${sub}/roles`, { roles })
    expect([reply.status, codeOf(reply)]).toEqual([400, 'invalid_request'])
  })
})

async function signInOrUp(email: string) {
  const made = await client.post<{ access_token: string }>('/api/sign-up', { email, password: PASSWORD, use: 'tokens' })
  return made.status === 201 ? made.json : await signInForTokens(client, email)
}
