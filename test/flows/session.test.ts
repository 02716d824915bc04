import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  app,
  bearer,
  browser,
  codeOf,
  cookieOf,
  demo,
  fromOwnPage,
  hybridToken,
  PASSWORD,
  type Problem,
  requireStatus,
  type Session,
  signIn,
  signInForTokens,
  signUp,
  signUpForTokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const ALLOWED = 'https://app.example.com'

type Listed = {
  sid: string
  current: boolean
  use: string
  user_agent: string
  amr: string[]
  created_at: number
  last_used_at: number
  expires_at: number
}
type Headers = Record<string, string>

let server: Server
let client: Client
beforeAll(async () => {
  server = await startServer({ vars: { ALLOWED_ORIGINS: `${ALLOWED}, https://other.example.com` } })
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

/** A person in a browser of their own, and the cookie as a header. */
async function visitor(email: string) {
  const person = browser(server.origin)
  const session = await signUp(person, email)
  return { person, session, cookie: { cookie: `__Host-session=${person.cookies.get('__Host-session')}` } }
}

const sessionsOf = async (headers: Headers) =>
  requireStatus(await client.get<{ sessions: Listed[] }>('/api/sessions', headers), 200).json.sessions

describe('GET /api/session (contract 5a, 6)', () => {
  test('answers the same session for the cookie and for a first-party token, but never for both at once', async () => {
    const { person, session, cookie } = await visitor('both@example.com')
    const token = bearer(await hybridToken(person, server))
    expect((await client.get('/api/session', cookie)).json).toEqual(session)
    expect((await client.get('/api/session', token)).json).toEqual(session)
    for (const headers of [
      { ...cookie, ...token },
      { ...cookie, authorization: 'Bearer x' },
      { ...cookie, authorization: 'Basic eDp5' },
    ]) {
      const reply = await client.get('/api/session', headers)
      expect([reply.status, codeOf(reply)]).toEqual([400, 'two_credentials'])
    }
  })

  test('answers 401 with a challenge without a session', async () => {
    const reply = await client.get('/api/session')
    expect([reply.status, codeOf(reply), reply.headers['www-authenticate']]).toEqual([401, 'no_session', 'Bearer'])
  })

  test('answers HEAD with the status and headers of GET (RFC 9110, 9.3.2)', async () => {
    const { cookie } = await visitor('head@example.com')
    const { headers, status } = await client.get('/api/session', cookie)
    const head = await client.request('HEAD', '/api/session', undefined, cookie)
    expect([head.status, head.text]).toEqual([status, ''])
    expect(head.headers['content-type']).toBe(headers['content-type'])
  })

  test('refuses a cookie that is broken in any way with 401, and lets it be', async () => {
    const { person, cookie } = await visitor('broken@example.com')
    const value = person.cookies.get('__Host-session') ?? ''
    const tokens = await signInForTokens(client, 'broken@example.com')
    const at = (index: number) => `${value.slice(0, index)}${value[index] === 'A' ? 'B' : 'A'}${value.slice(index + 1)}`
    const values = {
      empty: '',
      short: 'x',
      truncated: value.slice(0, -1),
      halved: value.slice(0, 30),
      padded: `${value}=`,
      longer: `${value}A`,
      quoted: `"${value}"`,
      escaped: encodeURIComponent(`${value}=`),
      spaced: `${value.slice(0, 20)} ${value.slice(20)}`,
      'in Latin-1': `${value.slice(0, -1)}\u00e9`,
      'a device cookie': person.cookies.get('__Host-device') ?? '',
      'a refresh token': tokens.refresh_token,
      'an access token': tokens.access_token,
      'of 4 KB': 'A'.repeat(4096),
      'of 30 KB': value.repeat(400),
      ...Object.fromEntries(Array.from({ length: value.length }, (_, index) => [`changed at ${index}`, at(index)])),
    }
    for (const [name, broken] of Object.entries(values)) {
      const reply = await client.get('/api/session', { cookie: `__Host-session=${broken}` })
      expect([name, reply.status, codeOf(reply), reply.setCookies]).toEqual([name, 401, 'no_session', []])
    }
    expect((await client.get('/api/session', cookie)).status).toBe(200)
  })

  test('refuses two session cookies in one request, and a cookie of another name or case', async () => {
    const { person, cookie } = await visitor('twice@example.com')
    const value = person.cookies.get('__Host-session') ?? ''
    const all = [
      `${cookie.cookie}; ${cookie.cookie}`,
      `__Host-session=x; ${cookie.cookie}`,
      `${cookie.cookie}; __Host-session=`,
      `__host-session=${value}`,
      `session=${value}`,
    ]
    for (const both of all) expect((await client.get('/api/session', { cookie: both })).status).toBe(401)
    expect((await client.get('/api/session', { cookie: `a=b; ;${cookie.cookie};c` })).status).toBe(200)
  })
})

describe('GET /api/sessions (contract 6)', () => {
  test('lists every living session by sid, those of tokens included, and names the current one', async () => {
    const email = 'devices@example.com'
    const { session, cookie } = await visitor(email)
    const phone = (await client.post<Session>('/api/sign-in', { email, password: PASSWORD }, { 'user-agent': 'Phone/1 (Otter OS)' })).json
    const tokens = await signInForTokens(client, email)
    const listed = await sessionsOf(cookie)
    const known = new Map(listed.map(({ sid, use, current }) => [sid, [use, current]]))
    expect(known.size).toBe(listed.length)
    expect(known).toEqual(
      new Map([
        [session.sid, ['cookie', true]],
        [phone.sid, ['cookie', false]],
        [tokens.sid, ['tokens', false]],
      ]),
    )
    expect(listed.find(({ sid }) => sid === phone.sid)).toEqual({
      sid: phone.sid,
      current: false,
      use: 'cookie',
      user_agent: 'Phone/1 (Otter OS)',
      amr: ['pwd'],
      created_at: phone.created_at,
      last_used_at: expect.any(Number),
      expires_at: expect.any(Number),
    })
    const byToken = await sessionsOf(bearer(tokens.access_token))
    expect(byToken.filter(({ current }) => current).map(({ sid }) => sid)).toEqual([tokens.sid])
    expect(byToken).toHaveLength(3)
  })

  test('lists nothing of anybody else, and 401 to nobody', async () => {
    const { session, cookie } = await visitor('alone@example.com')
    expect((await sessionsOf(cookie)).map(({ sid }) => sid)).toEqual([session.sid])
    expect((await client.get('/api/sessions')).status).toBe(401)
  })
})

describe('DELETE /api/sessions/{sid} (contract 8)', () => {
  test('ends the session of another device, is repeatable, and leaves the rest alone', async () => {
    const email = 'ends-other@example.com'
    const { cookie } = await visitor(email)
    const tokens = await signInForTokens(client, email)
    const end = () => client.delete(`/api/sessions/${tokens.sid}`, { ...cookie, ...fromOwnPage(server) })
    expect((await end()).status).toBe(204)
    expect((await end()).status).toBe(204)
    expect((await client.post('/api/refresh', { refresh_token: tokens.refresh_token })).status).toBe(400)
    expect((await demo(client, 'live', tokens.access_token)).status).toBe(401)
    expect(await sessionsOf(cookie)).toHaveLength(1)
  })

  test('ends the own session and clears its cookie', async () => {
    const { person, session, cookie } = await visitor('ends-own@example.com')
    const reply = await person.delete(`/api/sessions/${session.sid}`, fromOwnPage(server))
    expect(reply.status).toBe(204)
    expect(cookieOf(reply)).toBe('')
    expect(person.cookies.has('__Host-session')).toBe(false)
    expect((await client.get('/api/session', cookie)).status).toBe(401)
  })

  test('ends a cookie session by a bearer token, which needs no Origin and minds none', async () => {
    const email = 'by-token@example.com'
    const { session, cookie } = await visitor(email)
    const tokens = await signInForTokens(client, email)
    const headers = { ...bearer(tokens.access_token), origin: 'https://evil.example' }
    expect((await client.delete(`/api/sessions/${session.sid}`, headers)).status).toBe(204)
    expect((await client.get('/api/session', cookie)).status).toBe(401)
    expect((await client.delete(`/api/sessions/${tokens.sid}`, bearer(tokens.access_token))).status).toBe(204)
    expect((await client.get('/api/session', bearer(tokens.access_token))).status).toBe(401)
  })

  test('answers 404 for unknown sessions and those of others, and nothing happens', async () => {
    const own = await visitor('curious@example.com')
    const other = await visitor('minding-own@example.com')
    const unknown = Buffer.alloc(16, 7).toString('base64url')
    for (const sid of [other.session.sid, unknown, 'x', '%00', '%ff', 'a'.repeat(5000), own.session.sub, "' OR 1=1 --"]) {
      const reply = await client.delete(`/api/sessions/${sid}`, { ...own.cookie, ...fromOwnPage(server) })
      expect([reply.status, codeOf(reply)]).toEqual([404, 'not_found'])
    }
    expect((await client.get('/api/session', other.cookie)).status).toBe(200)
    expect((await client.get('/api/session', own.cookie)).status).toBe(200)
  })
})

describe('DELETE /api/sessions (contract 5a)', () => {
  test.each(['cookie', 'token'])('by a %s ends every session of the account, the one of the caller too', async (kind) => {
    const email = `everywhere-${kind}@example.com`
    const { cookie } = await visitor(email)
    const bystander = await visitor(`bystander-${kind}@example.com`)
    const tokens = await signInForTokens(client, email)
    const headers: Headers = kind === 'cookie' ? { ...cookie, ...fromOwnPage(server) } : bearer(tokens.access_token)
    const reply = await client.delete('/api/sessions', headers)
    expect([reply.status, cookieOf(reply)]).toEqual([204, kind === 'cookie' ? '' : undefined])
    expect((await client.get('/api/session', cookie)).status).toBe(401)
    expect((await client.get('/api/session', bearer(tokens.access_token))).status).toBe(401)
    expect((await client.post('/api/refresh', { refresh_token: tokens.refresh_token })).status).toBe(400)
    expect((await client.get('/api/session', bystander.cookie)).status).toBe(200)
    expect((await signIn(client, email)).email).toBe(email)
  })
})

describe('a change that the cookie authorises (contract 7)', () => {
  const refusedFrom: [string, Headers][] = [
    ['no Origin', {}],
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the Origin null', { origin: 'null' }],
    ['an empty Origin', { origin: '' }],
    ['an Origin that only starts like ours', { origin: 'http://localhost.evil.example' }],
    ['our host with another scheme', { origin: 'https://localhost' }],
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
    ['Sec-Fetch-Site: none', { 'sec-fetch-site': 'none' }],
    ['a foreign Origin beside Sec-Fetch-Site: same-origin', { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' }],
  ]
  const NEW_PASSWORD = 'silent-marten-52-harbour'
  const changes: [string, (email: string, cookie: Headers, sid: string) => Promise<Reply<unknown>>, number][] = [
    ['POST /api/sign-out', (_, headers) => client.post('/api/sign-out', {}, headers), 204],
    ['DELETE /api/sessions/{sid}', (_, headers, sid) => client.delete(`/api/sessions/${sid}`, headers), 204],
    ['DELETE /api/sessions', (_, headers) => client.delete('/api/sessions', headers), 204],
    [
      'POST /api/password',
      (_, headers) => client.post('/api/password', { current_password: PASSWORD, new_password: NEW_PASSWORD }, headers),
      204,
    ],
    ['POST /api/token', (_, headers) => client.post('/api/token', {}, headers), 200],
  ]
  const slug = (name: string) => name.replaceAll(/[^a-z]+/gi, '-').toLowerCase()

  test.each(changes)('%s is refused from anywhere but our own pages, and nothing happens', async (name, change) => {
    const email = `csrf${slug(name)}@example.com`
    const { cookie, session } = await visitor(email)
    for (const [from, headers] of refusedFrom) {
      const reply = await change(email, { ...cookie, ...headers }, session.sid)
      expect([from, reply.status, codeOf(reply), reply.setCookies]).toEqual([from, 403, 'cross_origin', []])
    }
    expect((await client.get('/api/session', cookie)).json).toEqual(session)
    await signIn(client, email)
  })

  test.each(changes)('%s is taken from our own page, an allowed one, and by Sec-Fetch-Site: same-origin', async (name, change, status) => {
    const allowed: Headers[] = [fromOwnPage(server), { origin: ALLOWED }, { 'sec-fetch-site': 'same-origin' }]
    for (const [nth, headers] of allowed.entries()) {
      const email = `own${slug(name)}${nth}@example.com`
      const { cookie, session } = await visitor(email)
      expect((await change(email, { ...cookie, ...headers }, session.sid)).status).toBe(status)
    }
  })

  test('POST /api/password and DELETE /api/sessions need no Origin with a bearer token', async () => {
    const tokens = await signUpForTokens(client, 'no-origin@example.com')
    const body = { current_password: PASSWORD, new_password: NEW_PASSWORD }
    expect((await client.post('/api/password', body, bearer(tokens.access_token))).status).toBe(204)
    const again = await signInForTokens(client, 'no-origin@example.com', NEW_PASSWORD)
    expect((await client.delete('/api/sessions', bearer(again.access_token))).status).toBe(204)
  })
})

describe('CORS', () => {
  test.each([ALLOWED, 'https://other.example.com'])('lets %s read answers with credentials, and ask beforehand', async (origin) => {
    const preflight = { origin, 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' }
    for (const reply of [
      await client.get('/api/session', { origin }),
      await client.request('OPTIONS', '/api/sessions', undefined, preflight),
    ]) {
      expect(reply.headers).toMatchObject({ 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' })
      expect(reply.headers.vary).toContain('Origin')
    }
    const { headers, status } = await client.request('OPTIONS', '/api/sessions', undefined, preflight)
    expect(status).toBe(204)
    expect(headers['access-control-allow-methods']).toContain('DELETE')
    expect(headers['access-control-allow-headers']?.toLowerCase()).toContain('authorization')
  })

  test('lets an allowed page sign in and read its session', async () => {
    const { person } = await visitor('cors@example.com')
    const reply = await person.post<Problem>('/api/sign-in', { email: 'cors@example.com', password: PASSWORD }, { origin: ALLOWED })
    expect([reply.status, reply.headers['access-control-allow-origin']]).toEqual([200, ALLOWED])
  })

  test('lets an allowed page read refusals too', async () => {
    for (const path of ['/api/session', '/api/demo/live', '/api/sign-in', '/api/nothing']) {
      const { headers, status } = await client.get(path, { origin: ALLOWED })
      expect([path, status >= 400, headers['access-control-allow-origin']]).toEqual([path, true, ALLOWED])
    }
  })

  test.each(['https://evil.example', 'null', 'https://app.example.com.evil.example', 'http://app.example.com', 'https://APP.example.com'])(
    'tells the origin %s nothing, on errors and preflights neither',
    async (origin) => {
      const preflight = { origin, 'access-control-request-method': 'POST' }
      const replies = [
        await client.get('/api/session', { origin }),
        await client.get('/api/openapi.json', { origin }),
        await client.get('/api/nothing', { origin }),
        await client.request('OPTIONS', '/api/token', undefined, preflight),
      ]
      for (const { headers } of replies) {
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
        expect(headers.vary).toContain('Origin')
      }
    },
  )
})
