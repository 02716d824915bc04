import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import {
  app,
  attributesOf,
  browser,
  codeOf,
  cookieOf,
  fromOwnPage,
  mailsTo,
  PASSWORD,
  type Problem,
  type Session,
  signIn,
  signUp,
  type Tokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const ID = /^[\w-]{22}$/

let server: Server
let client: Client
beforeAll(async () => {
  // Two edges, so that the storm below comes from both.
  server = await startServer({ workers: 2 })
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const attempt = (body: object | string, headers: Record<string, string> = {}) =>
  client.post<Problem>('/api/sign-up', body, typeof body === 'string' ? { 'content-type': 'application/json', ...headers } : headers)

describe('sign-up (contract 5)', () => {
  test('answers 201 and the session, which the cookie then names', async () => {
    const person = browser(server.origin)
    const before = Math.floor(Date.now() / 1000)
    const reply = await person.post<Session>('/api/sign-up', { email: 'Ann@Example.com', password: PASSWORD, name: '  Ann Otter ' })
    expect(reply.status).toBe(201)
    const session = reply.json
    expect(session).toEqual({
      sub: expect.stringMatching(ID),
      sid: expect.stringMatching(ID),
      email: 'ann@example.com',
      name: 'Ann Otter',
      roles: [],
      auth_time: expect.any(Number),
      acr: expect.any(String),
      amr: ['pwd'],
      created_at: session.auth_time,
      expires_at: expect.any(Number),
    })
    expect(Math.abs(session.auth_time - before)).toBeLessThan(5)
    expect(session.expires_at - session.created_at).toBeGreaterThan(86_400)
    expect((await person.get('/api/session')).json).toEqual(session)
    person.close()
  })

  test('sets the session cookie and the device cookie with exactly the attributes promised', async () => {
    const reply = await client.post('/api/sign-up', { email: 'cookies@example.com', password: PASSWORD })
    expect(reply.setCookies).toHaveLength(2)
    expect(attributesOf(reply, '__Host-session')).toEqual(['HttpOnly', 'Max-Age=2592000', 'Path=/', 'SameSite=Lax', 'Secure'])
    expect(attributesOf(reply, '__Host-device')).toEqual(['HttpOnly', 'Max-Age=31536000', 'Path=/', 'SameSite=Lax', 'Secure'])
    expect(cookieOf(reply)).toMatch(/^[\w-]{40,}$/)
    expect(reply.headers['cache-control']).toBe('no-store')
  })

  test('needs no name, and tells nobody of a new device', async () => {
    expect((await signUp(client, 'nameless@example.com')).name).toBeNull()
    expect(await mailsTo(client, 'nameless@example.com')).toEqual([])
  })

  test.each([
    ['capitals', 'JO.Spelling@EXAMPLE.com'],
    ['spaces around', '   jo.spelling@example.com  '],
    ['full-width letters', 'ｊｏ.ｓｐｅｌｌｉｎｇ@ｅｘａｍｐｌｅ.ｃｏｍ'],
    ['full-width capitals and signs', 'ＪＯ．ＳＰＥＬＬＩＮＧ＠ＥＸＡＭＰＬＥ．ＣＯＭ'],
    ['an ideographic space before', '\u3000jo.spelling@example.com'],
  ])('takes an address in %s for the same address', async (_, spelling) => {
    const first = await attempt({ email: 'jo.spelling@example.com', password: PASSWORD })
    expect([201, 409]).toContain(first.status)
    const again = await attempt({ email: spelling, password: PASSWORD })
    expect(again.status).toBe(409)
    expect(codeOf(again)).toBe('identifier_taken')
    expect((await signIn(client, spelling)).email).toBe('jo.spelling@example.com')
  })

  test('takes composed and decomposed letters for the same address', async () => {
    await signUp(client, 'ren\u00e9.compose@example.com')
    expect(codeOf(await attempt({ email: 'rene\u0301.compose@example.com', password: PASSWORD }))).toBe('identifier_taken')
    await signUp(client, 'rene.compose@example.com')
  })

  test('is not idempotent: the same request again gets 409, no cookie, and the first account stays as it is', async () => {
    const { sub } = await signUp(client, 'twice@example.com')
    const again = await attempt({ email: 'twice@example.com', password: 'another-heron-77-window' })
    expect(again.status).toBe(409)
    expect(again.setCookies).toEqual([])
    expect((await signIn(client, 'twice@example.com')).sub).toBe(sub)
    expect((await client.post('/api/sign-in', { email: 'twice@example.com', password: 'another-heron-77-window' })).status).toBe(401)
  })

  test('of 50 simultaneous ones for one address in mixed spellings exactly one gets 201, and its password counts', async () => {
    const spellings = [
      'storm@example.com',
      'STORM@example.com',
      ' Storm@Example.Com ',
      'ｓｔｏｒｍ@example.com',
      'storm@ＥＸＡＭＰＬＥ.com',
    ]
    const passwordOf = (index: number) => `violet-otter-${index}-lantern-quay`
    const edges = server.origins.map(app)
    const replies = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const body = { email: spellings[index % spellings.length], password: passwordOf(index) }
        return await (edges[index % edges.length] ?? client).post<Session & Problem>('/api/sign-up', body)
      }),
    )
    for (const edge of edges) edge.close()
    const statuses = Map.groupBy(replies, ({ status }) => status)
    expect([...statuses].map(([status, some]) => [status, some.length]).sort()).toEqual([
      [201, 1],
      [409, 49],
    ])
    expect(new Set(statuses.get(409)?.map(codeOf))).toEqual(new Set(['identifier_taken']))
    const winner = replies.findIndex(({ status }) => status === 201)
    expect((await signIn(client, 'storm@example.com', passwordOf(winner))).sub).toBe(replies[winner]?.json.sub)
    const loser = (winner + 1) % 50
    expect((await client.post('/api/sign-in', { email: 'storm@example.com', password: passwordOf(loser) })).status).toBe(401)
  })

  test.each([
    '',
    'ann',
    'ann@',
    '@example.com',
    'ann@example',
    'ann example@example.com',
    'a@b@example.com',
    `${'a'.repeat(250)}@example.com`,
  ])('refuses %j, which is no e-mail address, and says where', async (email) => {
    const reply = await attempt({ email, password: PASSWORD })
    expect(reply.status).toBe(400)
    expect(reply.json).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/email' }] })
  })
})

describe('sign-up for tokens (contract 5a)', () => {
  test('answers tokens, and no session cookie', async () => {
    const reply = await client.post<Tokens>('/api/sign-up', { email: 'tokens@example.com', password: PASSWORD, use: 'tokens' })
    expect(reply.status).toBe(201)
    expect(reply.json).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: expect.stringMatching(/^[\w-]+$/),
      sid: expect.stringMatching(ID),
      scope: 'account',
    })
    expect(cookieOf(reply)).toBeUndefined()
  })

  test.each(['own', 'foreign', 'null'])('is refused with an Origin (%s one), and makes nothing', async (kind) => {
    const email = `origin-${kind}@example.com`
    const origin = { own: server.origin, foreign: 'https://evil.example', null: 'null' }[kind] ?? ''
    const reply = await attempt({ email, password: PASSWORD, use: 'tokens' }, { origin })
    expect(reply.status).toBe(403)
    expect(codeOf(reply)).toBe(kind === 'own' ? 'browser_origin' : 'cross_origin')
    await signUp(client, email)
  })
})

describe('sign-up from a page (contract 7)', () => {
  test.each<[string, Record<string, string>]>([
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the Origin null', { origin: 'null' }],
    ['another port of the same host', { origin: 'http://localhost:1' }],
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
    ['Sec-Fetch-Site: same-site', { 'sec-fetch-site': 'same-site' }],
  ])('is refused with %s', async (_, headers) => {
    const reply = await attempt({ email: 'victim@example.com', password: PASSWORD }, headers)
    expect(reply.status).toBe(403)
    expect(codeOf(reply)).toBe('cross_origin')
    expect(reply.setCookies).toEqual([])
  })

  test('is taken from our own Origin, and without one', async () => {
    expect((await attempt({ email: 'own-page@example.com', password: PASSWORD }, fromOwnPage(server))).status).toBe(201)
    expect((await attempt({ email: 'own-fetch@example.com', password: PASSWORD }, { 'sec-fetch-site': 'same-origin' })).status).toBe(201)
    expect((await attempt({ email: 'address-bar@example.com', password: PASSWORD }, { 'sec-fetch-site': 'none' })).status).toBe(201)
  })
})

describe('the name', () => {
  test.each([
    ['empty', ''],
    ['only spaces', '   '],
    ['of 201 characters', 'n'.repeat(201)],
    ['with a line break', 'Ann\nBcc: all'],
    ['with a NUL', 'Ann\u0000'],
    ['a number', 7],
    ['null', null],
  ])('is refused when it is %s', async (_, name) => {
    const reply = await attempt({ email: 'names@example.com', password: PASSWORD, name })
    expect(reply.status).toBe(400)
    expect(reply.json).toMatchObject({ code: 'invalid_request', errors: [{ pointer: '/name' }] })
  })

  test('may be in any script', async () => {
    const name = 'Žofie 小林 😀 O’Neil-Çelik'
    const reply = await client.post<Session>('/api/sign-up', { email: 'script@example.com', password: PASSWORD, name })
    expect(reply.json.name).toBe(name)
  })
})

describe('a new password', () => {
  test.each([
    ['password_too_short', 'of 14 letters', 'kumquat-otter7'],
    ['password_too_short', 'of 14 code points in 28 UTF-16 units', '🦦🌊🕯🎻🧭🪁🍋🌵🚲🧵🎲🪴🔭🥁'],
    ['password_common', 'known to everybody', 'passwordpassword'],
    ['password_common', 'a sequence', '12345678901234567890'],
    ['password_common', 'a repetition', 'aaaaaaaaaaaaaaaaaaaa'],
    ['password_contains_identifier', 'made from the address', 'margarethe.oldfield1'],
    ['password_contains_identifier', 'made from the name', 'Wilhelmina-Oldfield-7'],
    ['password_too_long', 'of 257 letters', 'kq7w-Zt4mX9'.repeat(24).slice(0, 257)],
    ['password_malformed', 'with a NUL', 'violet-otter\u0000-41-lantern'],
  ])('is refused with %s when it is %s, and the answer does not repeat it', async (code, _, password) => {
    const reply = await attempt({ email: 'margarethe.oldfield@example.com', name: 'Wilhelmina Oldfield', password })
    expect(reply.status).toBe(422)
    expect(codeOf(reply)).toBe(code)
    expect(reply.text).not.toContain(password)
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/)
  })

  test('is refused with password_malformed when it is broken Unicode', async () => {
    const reply = await attempt(String.raw`{"email":"broken@example.com","password":"violet-otter-\ud800-41-lantern"}`)
    expect(reply.status).toBe(422)
    expect(codeOf(reply)).toBe('password_malformed')
  })

  test.each([
    ['15 code points outside the basic plane', '🦦🌊🕯🎻🧭🪁🍋🌵🚲🧵🎲🪴🔭🥁🧊'],
    ['64 characters', 'Marmalade 9 skies over Qu, 41 violet otters hum by lantern light'],
    [
      '256 characters',
      'Fjord bank glyphs vex quiz; 41 violet otters hum by lantern light. '.repeat(8).slice(0, 190).padEnd(256, 'kWm2-Zt7!q'),
    ],
    ['spaces and any script', '紫のカワウソ 四十一 ランタン の 夜'],
    ['no capitals, digits or signs', 'ottervioletlanternquay'],
  ])('may have %s', async (title, password) => {
    const email = `${title.replaceAll(/[^a-z0-9]+/g, '-')}@example.com`
    await signUp(client, email, password)
    await signIn(client, email, password)
    expect((await client.post('/api/sign-in', { email, password: [...password].slice(0, -1).join('') })).status).toBe(401)
  })

  test('is the same however its letters are composed', async () => {
    await signUp(client, 'nfd@example.com', 'cre\u0300me-bru\u0302le\u0301e-41-otter')
    await signIn(client, 'nfd@example.com', 'cr\u00e8me-br\u00fbl\u00e9e-41-otter')
  })
})
