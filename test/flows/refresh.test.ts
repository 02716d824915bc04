import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, type Reply, resetAfter } from '../support/node/http.ts'
import {
  app,
  bearer,
  browser,
  claimsOf,
  codeOf,
  demo,
  mailsTo,
  type Problem,
  refresh,
  requireStatus,
  signInForTokens,
  signUp,
  signUpForTokens,
  type Tokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

let server: Server
let client: Client
beforeAll(async () => {
  server = await startServer()
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

/** The next tokens; throws unless the presentation is answered. */
const next = async ({ refresh_token }: Pick<Tokens, 'refresh_token'>) => requireStatus(await refresh(client, refresh_token), 200).json

const refused = (reply: Reply<unknown>) => [reply.status, codeOf(reply)]
const INVALID_GRANT = [400, 'invalid_grant']

describe('POST /api/refresh (contract 9)', () => {
  test('answers the shape of a token sign-in: new tokens of the same session', async () => {
    const first = await signUpForTokens(client, 'ann@example.com')
    const reply = await refresh(client, first.refresh_token)
    expect(reply.status).toBe(200)
    expect(Object.keys(reply.json).sort()).toEqual(Object.keys(first).sort())
    expect(reply.json).toMatchObject({ token_type: 'Bearer', expires_in: 300, sid: first.sid, scope: first.scope })
    expect(reply.json.refresh_token).not.toBe(first.refresh_token)
    expect(reply.json.access_token).not.toBe(first.access_token)
    expect(reply.setCookies).toEqual([])
    expect(reply.headers['cache-control']).toBe('no-store')
    expect(claimsOf(reply.json.access_token)).toMatchObject({ sid: first.sid, sub: claimsOf(first.access_token).sub })
    for (const token of [first, reply.json]) expect((await demo(client, 'live', token.access_token)).status).toBe(200)
  })

  test('rotates at each step of a chain', async () => {
    let tokens = await signUpForTokens(client, 'chain@example.com')
    const seen = new Set([tokens.refresh_token])
    for (let step = 0; step < 20; step++) {
      tokens = await next(tokens)
      seen.add(tokens.refresh_token)
    }
    expect(seen.size).toBe(21)
    expect((await demo(client, 'live', tokens.access_token)).status).toBe(200)
  })

  test('gives 50 concurrent presentations of one token the same bytes, and each an access token that works', async () => {
    const first = await signUpForTokens(client, 'storm@example.com')
    const all = await Promise.all(Array.from({ length: 50 }, () => next(first)))
    expect(new Set(all.map(({ refresh_token }) => refresh_token)).size).toBe(1)
    expect(new Set(all.map(({ access_token }) => access_token)).size).toBe(50)
    const statuses = await Promise.all(all.map(async ({ access_token }) => (await demo(client, 'live', access_token)).status))
    expect(new Set(statuses)).toEqual(new Set([200]))
    const after = await next(all[0] ?? first)
    expect(after.refresh_token).not.toBe(all[0]?.refresh_token)
  })

  test('lands every generation of the last 30 s on the newest, any number of times, in any order', async () => {
    const chain = [await signUpForTokens(client, 'late-tabs@example.com')]
    for (let step = 0; step < 5; step++) chain.push(await next(chain.at(-1) ?? { refresh_token: '' }))
    const newest = chain.at(-1)?.refresh_token
    for (const old of [...chain.slice(0, -1), ...chain.slice(0, -1).reverse()]) expect((await next(old)).refresh_token).toBe(newest)
    const after = await next(chain.at(-1) ?? { refresh_token: '' })
    for (const old of chain) expect((await next(old)).refresh_token).toBe(after.refresh_token)
    expect(await mailsTo(client, 'late-tabs@example.com')).toEqual([])
  })

  test('keeps two devices of one account apart', async () => {
    const phone = await signUpForTokens(client, 'devices@example.com')
    const laptop = await signInForTokens(client, 'devices@example.com')
    const [phoneNext, laptopNext] = await Promise.all([next(phone), next(laptop)])
    expect([phoneNext.sid, laptopNext.sid]).toEqual([phone.sid, laptop.sid])
    expect((await client.post('/api/sign-out', { refresh_token: phoneNext.refresh_token })).status).toBe(204)
    expect(refused(await refresh(client, phoneNext.refresh_token))).toEqual(INVALID_GRANT)
    expect((await next(laptopNext)).sid).toBe(laptop.sid)
  })

  test('needs neither Origin nor cookie, and minds neither (contract 7)', async () => {
    const person = browser(server.origin)
    await signUp(person, 'browser@example.com')
    const tokens = await signInForTokens(client, 'browser@example.com')
    expect((await person.post('/api/refresh', { refresh_token: tokens.refresh_token }, { origin: 'https://evil.example' })).status).toBe(
      200,
    )
    person.close()
  })

  test('takes the refresh token from nowhere but the body', async () => {
    const { refresh_token } = await signUpForTokens(client, 'elsewhere@example.com')
    for (const reply of [
      await client.post<Problem>(`/api/refresh?refresh_token=${refresh_token}`, {}),
      await client.post<Problem>('/api/refresh', {}, bearer(refresh_token)),
      await client.post<Problem>('/api/refresh', {}, { cookie: `refresh_token=${refresh_token}` }),
    ]) {
      expect(refused(reply)).toEqual([400, 'invalid_request'])
    }
  })
})

describe('a refresh token that is not good', () => {
  test('gets 400 invalid_grant, one and the same answer whatever the reason', async () => {
    const person = browser(server.origin)
    await signUp(person, 'bad@example.com')
    const tokens = await signInForTokens(client, 'bad@example.com')
    const { refresh_token: good } = tokens
    const changed = Array.from(
      { length: good.length },
      (_, at) => `${good.slice(0, at)}${good[at] === 'A' ? 'B' : 'A'}${good.slice(at + 1)}`,
    )
    const ended = await signInForTokens(client, 'bad@example.com')
    await client.post('/api/sign-out', { refresh_token: ended.refresh_token })
    const bad = [
      ...[
        '',
        'x',
        good.slice(0, -1),
        `${good}A`,
        `${good}=`,
        ` ${good}`,
        `${good} `,
        good.toLowerCase(),
        ended.refresh_token,
        tokens.access_token.slice(0, 500),
      ],
      ...[person.cookies.get('__Host-session') ?? '', person.cookies.get('__Host-device') ?? '', 'é'.repeat(98), ...changed],
    ]
    const bodies = new Set<string>()
    for (const refresh_token of bad) {
      const { request_id: _, ...body } = requireStatus(await client.post<Problem>('/api/refresh', { refresh_token }), 400).json
      bodies.add(JSON.stringify(body))
    }
    expect([...bodies].map((body) => JSON.parse(body).code)).toEqual(['invalid_grant'])
    expect((await next(tokens)).sid).toBe(tokens.sid)
    person.close()
  })

  test.each([
    ['missing', {}],
    ['null', { refresh_token: null }],
    ['a number', { refresh_token: 1 }],
    ['a list', { refresh_token: ['x'] }],
    ['of 513 characters', { refresh_token: 'a'.repeat(513) }],
    ['broken Unicode', { refresh_token: '\ud800' }],
  ])('gets 400 invalid_request when it is %s', async (_, body) => {
    const reply = await client.post<Problem>('/api/refresh', body)
    expect(refused(reply)).toEqual([400, 'invalid_request'])
    expect(reply.json.errors?.[0]?.pointer).toBe('/refresh_token')
  })
})

describe('sign-out by a refresh token (contract 5)', () => {
  test.each([
    ['newest', 0],
    ['rotated', 3],
  ])('takes the %s generation, living or dead, and is repeatable', async (name, back) => {
    const chain = [await signUpForTokens(client, `sign-out-${name}@example.com`)]
    for (let step = 0; step < 3; step++) chain.push(await next(chain.at(-1) ?? { refresh_token: '' }))
    const signOut = async (at: number) => (await client.post('/api/sign-out', { refresh_token: chain.at(-1 - at)?.refresh_token })).status
    expect(await signOut(back)).toBe(204)
    for (const { refresh_token } of chain) expect(refused(await refresh(client, refresh_token))).toEqual(INVALID_GRANT)
    for (const at of [0, 1, 2, 3, back]) expect(await signOut(at)).toBe(204)
    for (const { access_token } of chain) expect((await demo(client, 'live', access_token)).status).toBe(401)
    expect(await mailsTo(client, `sign-out-${name}@example.com`)).toEqual([])
  })

  test('of many at once beside a refresh leaves nothing alive', async () => {
    const first = await signUpForTokens(client, 'race@example.com')
    const signOut = () => client.post('/api/sign-out', { refresh_token: first.refresh_token })
    const [signedOut, refreshed] = await Promise.all([
      Promise.all(Array.from({ length: 5 }, signOut)),
      Promise.all(Array.from({ length: 5 }, () => refresh(client, first.refresh_token))),
    ])
    expect(new Set(signedOut.map(({ status }) => status))).toEqual(new Set([204]))
    for (const reply of refreshed) {
      if (reply.status !== 200) expect(refused(reply)).toEqual(INVALID_GRANT)
      else {
        expect((await demo(client, 'live', reply.json.access_token)).status).toBe(401)
        expect(refused(await refresh(client, reply.json.refresh_token))).toEqual(INVALID_GRANT)
      }
    }
  })

  test('refuses a token that is not ours, and one beside the cookie', async () => {
    const person = browser(server.origin)
    await signUp(person, 'two-ways@example.com')
    const { refresh_token } = await signInForTokens(client, 'two-ways@example.com')
    expect(refused(await client.post('/api/sign-out', { refresh_token: `${refresh_token.slice(0, -2)}AA` }))).toEqual(INVALID_GRANT)
    expect(refused(await client.post('/api/sign-out', { refresh_token: '' }))).toEqual(INVALID_GRANT)
    expect(refused(await person.post('/api/sign-out', { refresh_token }, { origin: server.origin }))).toEqual([400, 'two_credentials'])
    expect((await refresh(client, refresh_token)).status).toBe(200)
    expect((await person.get('/api/session')).status).toBe(200)
    person.close()
  })
})

describe('a client that vanishes (promise 1)', () => {
  test('before the reply has come retries with the token it has, and goes on: 20 times, from 0 to 19 ms', async () => {
    const email = 'vanishing@example.com'
    let tokens = await signUpForTokens(client, email)
    for (let ms = 0; ms < 20; ms++) {
      const received = await resetAfter(server.origin, { path: '/api/refresh', body: { refresh_token: tokens.refresh_token } }, ms)
      const answered = /"refresh_token":"([\w-]+)"/.exec(received)?.[1]
      const retried = await next(tokens)
      // Whatever arrived before the reset is the same generation, not another branch.
      if (answered !== undefined) expect(retried.refresh_token).toBe(answered)
      expect((await demo(client, 'live', retried.access_token)).status).toBe(200)
      tokens = await next(retried)
    }
    expect(await mailsTo(client, email)).toEqual([])
  })

  test('in the middle of a sign-out has signed out, or can', async () => {
    for (let ms = 0; ms < 10; ms++) {
      const tokens = ms === 0 ? await signUpForTokens(client, 'gone@example.com') : await signInForTokens(client, 'gone@example.com')
      await resetAfter(server.origin, { path: '/api/sign-out', body: { refresh_token: tokens.refresh_token } }, ms)
      expect((await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })).status).toBe(204)
      expect((await demo(client, 'live', tokens.access_token)).status).toBe(401)
    }
  })
})
