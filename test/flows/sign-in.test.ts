import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  app,
  browser,
  codeOf,
  cookieOf,
  demo,
  fromOwnPage,
  mailsTo,
  PASSWORD,
  type Problem,
  type Session,
  signIn,
  signInForTokens,
  signUp,
  signUpForTokens,
  type Tokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const WRONG = 'grumpy-heron-77-window'
const FREE_TRIES = 10

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

const attempt = (email: string, password: string, headers: Record<string, string> = {}) =>
  client.post<Problem>('/api/sign-in', { email, password }, headers)

async function failures(count: number, email: string, headers: Record<string, string> = {}): Promise<Reply<Problem>[]> {
  const replies: Reply<Problem>[] = []
  for (let nth = 0; nth < count; nth++) replies.push(await attempt(email, WRONG, headers))
  return replies
}

/** The device cookie that a sign-up sets, ready to be sent. */
async function deviceOf(email: string) {
  const reply = await client.post('/api/sign-up', { email, password: PASSWORD })
  expect(reply.status).toBe(201)
  return { cookie: `__Host-device=${cookieOf(reply, '__Host-device')}` }
}

/** All of a reply that its asker could learn from, but for what no two replies share. */
function visible(reply: Reply<Problem>) {
  const { request_id, ...body } = reply.json
  const { date: _, 'x-request-id': requestId, 'content-length': length, ...headers } = reply.headers
  expect(request_id).toBe(requestId)
  return { status: reply.status, body, headers, length, names: Object.keys(reply.headers).sort() }
}

describe('sign-in', () => {
  test('answers the session, the same account in every spelling, and a new session id each time', async () => {
    const { sub, sid } = await signUp(client, 'ann@example.com')
    const spellings = ['ann@example.com', ' ANN@Example.com', 'ａｎｎ@example.com']
    const sessions = await Promise.all(spellings.map((email) => signIn(client, email)))
    expect(sessions.map((session) => session.sub)).toEqual([sub, sub, sub])
    expect(new Set([sid, ...sessions.map((session) => session.sid)]).size).toBe(4)
  })

  test('for tokens answers tokens and no session cookie, and is refused with an Origin', async () => {
    const email = 'tokens@example.com'
    await signUp(client, email)
    const body = { email, password: PASSWORD, use: 'tokens' }
    const reply = await client.post<Tokens>('/api/sign-in', body)
    expect(reply.status).toBe(200)
    expect(Object.keys(reply.json).sort()).toEqual(['access_token', 'expires_in', 'refresh_token', 'scope', 'sid', 'token_type'])
    expect(cookieOf(reply)).toBeUndefined()
    const own = await client.post<Problem>('/api/sign-in', body, fromOwnPage(server))
    expect([own.status, codeOf(own)]).toEqual([403, 'browser_origin'])
  })

  test.each<[string, Record<string, string>]>([
    ['a foreign Origin', { origin: 'https://evil.example' }],
    ['the Origin null', { origin: 'null' }],
    ['Sec-Fetch-Site: cross-site', { 'sec-fetch-site': 'cross-site' }],
  ])('is refused with %s, whether the password is right or not (contract 7)', async (_, headers) => {
    const known = await attempt('ann@example.com', PASSWORD, headers)
    const wrong = await attempt('ann@example.com', WRONG, headers)
    expect([known.status, codeOf(known), known.setCookies]).toEqual([403, 'cross_origin', []])
    expect(visible(wrong)).toEqual(visible(known))
  })

  test('in a browser ends the session that its cookie named before, and no other', async () => {
    const email = 'replaced@example.com'
    const person = browser(server.origin)
    const elsewhere = browser(server.origin)
    await signUp(person, email)
    await signIn(elsewhere, email)
    const before = { cookie: `__Host-session=${person.cookies.get('__Host-session')}` }
    const token = (await person.post<Tokens>('/api/token', {}, fromOwnPage(server))).json.access_token
    await signIn(person, email)
    expect((await client.get('/api/session', before)).status).toBe(401)
    expect((await demo(client, 'live', token)).status).toBe(401)
    expect((await person.get('/api/session')).status).toBe(200)
    expect((await elsewhere.get('/api/session')).status).toBe(200)
    person.close()
    elsewhere.close()
  })

  test('that fails leaves the session of the browser alone', async () => {
    const person = browser(server.origin)
    const { sid } = await signUp(person, 'stays@example.com')
    const reply = await person.post('/api/sign-in', { email: 'stays@example.com', password: WRONG })
    expect([reply.status, reply.setCookies]).toEqual([401, []])
    expect((await person.get<Session>('/api/session')).json.sid).toBe(sid)
    person.close()
  })

  test('from a device that has not been seen before is told to the account, once each, and from a known one never', async () => {
    const email = 'notice@example.com'
    const device = await deviceOf(email)
    await attempt(email, PASSWORD, { ...device, 'user-agent': 'Known/1.0' })
    await attempt(email, WRONG, { 'user-agent': 'Guesser/1.0' })
    expect(await mailsTo(client, email)).toEqual([])
    expect((await attempt(email, PASSWORD, { 'user-agent': 'Stranger/2.0' })).status).toBe(200)
    const mails = await mailsTo(client, email)
    expect(mails).toEqual([
      { to: email, subject: 'New sign-in to your account', text: expect.any(String), links: [], at: expect.any(Number) },
    ])
    // A User-Agent is a stranger's text: it is not repeated in a mail that is believed to be ours.
    expect(mails[0]?.text).not.toContain('Stranger')
  })

  test('with the right password succeeds 40 times at once, each with a session of its own', async () => {
    const email = 'parallel@example.com'
    await signUp(client, email)
    const all = await Promise.all(Array.from({ length: 40 }, () => signInForTokens(client, email)))
    expect(new Set(all.map(({ sid }) => sid)).size).toBe(40)
    const statuses = await Promise.all(all.map(async ({ access_token }) => (await demo(client, 'live', access_token)).status))
    expect(new Set(statuses)).toEqual(new Set([200]))
  })
})

describe('a refused sign-in (contract 11)', () => {
  test('looks the same for a wrong password and an unknown address: status, body, header names and values', async () => {
    await signUp(client, 'known@example.com')
    const known = await attempt('known@example.com', WRONG)
    const unknown = await attempt('unknown@example.com', WRONG)
    expect(visible(known)).toEqual(visible(unknown))
    expect(visible(known)).toMatchObject({ status: 401, body: { code: 'invalid_credentials', status: 401 } })
    expect(known.headers['content-type']).toBe('application/problem+json')
    expect([...known.setCookies, ...unknown.setCookies]).toEqual([])
  })

  test('looks the same for apps that ask for tokens', async () => {
    await signUp(client, 'known-app@example.com')
    const ask = (email: string) => client.post<Problem>('/api/sign-in', { email, password: WRONG, use: 'tokens' })
    expect(visible(await ask('known-app@example.com'))).toEqual(visible(await ask('unknown-app@example.com')))
  })

  test('looks the same with the device cookie of another account', async () => {
    const device = await deviceOf('device-owner@example.com')
    await signUp(client, 'known-two@example.com')
    const known = await attempt('known-two@example.com', WRONG, device)
    expect(visible(known)).toEqual(visible(await attempt('unknown-two@example.com', WRONG, device)))
  })

  test('takes the same work: an unknown address costs a hash as well', async () => {
    await signUp(client, 'timed@example.com')
    const times = { known: [] as number[], unknown: [] as number[] }
    for (let nth = 0; nth < 9; nth++) {
      for (const which of ['known', 'unknown'] as const) {
        const started = performance.now()
        await attempt(which === 'known' ? 'timed@example.com' : 'untimed@example.com', WRONG)
        times[which].push(performance.now() - started)
      }
    }
    const median = (all: number[]) => all.sort((a, b) => a - b)[4] ?? 0
    expect(median(times.unknown)).toBeGreaterThan(median(times.known) / 2)
    expect(median(times.unknown)).toBeLessThan(median(times.known) * 2)
  })
})

describe('wrong passwords in a row (contract 11a)', () => {
  test('get 429 after ten, the right password included, known and unknown addresses alike', async () => {
    await signUp(client, 'besieged@example.com')
    const seen = await Promise.all(
      ['besieged@example.com', 'nobody@example.com'].map(async (email) => {
        const tries = await failures(FREE_TRIES, email)
        const refused = await attempt(email, WRONG)
        const right = await attempt(email, PASSWORD)
        expect(tries.map(({ status }) => status)).toEqual(Array(FREE_TRIES).fill(401))
        expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1)
        expect(visible(right)).toEqual(visible(refused))
        return visible(refused)
      }),
    )
    expect(seen[0]).toMatchObject({ status: 429, body: { code: 'too_many_attempts' } })
    expect(seen[1]).toEqual(seen[0])
  })

  test('wait twice as long each time, and keep out strangers only, not the devices that the account knows', async () => {
    const email = 'doubling@example.com'
    const device = await deviceOf(email)
    const other = await deviceOf('other-device@example.com')
    await failures(FREE_TRIES, email)
    for (const seconds of [1, 2]) {
      expect((await attempt(email, PASSWORD)).headers['retry-after']).toBe(String(seconds))
      await sleep(seconds * 1000 + 100)
      expect((await attempt(email, WRONG)).status).toBe(401)
    }
    // Four seconds are left for what follows.
    expect((await attempt(email, PASSWORD, other)).status).toBe(429)
    expect(
      (await attempt(email, PASSWORD, { cookie: `${device.cookie.slice(0, -1)}${device.cookie.endsWith('A') ? 'B' : 'A'}` })).status,
    ).toBe(429)
    expect((await attempt(email, PASSWORD, device)).status).toBe(200)
    const stranger = await attempt(email, PASSWORD)
    expect(stranger.status).toBe(429)
    expect(Number(stranger.headers['retry-after'])).toBeGreaterThanOrEqual(1)
    await sleep(Number(stranger.headers['retry-after']) * 1000 + 100)
    expect((await attempt(email, PASSWORD)).status).toBe(200)
  })

  test('of a known device are counted apart: it is refused for its own tries, and strangers are not refused for them', async () => {
    const email = 'clumsy@example.com'
    const device = await deviceOf(email)
    await failures(FREE_TRIES, email, device)
    expect((await attempt(email, PASSWORD, device)).status).toBe(429)
    expect((await attempt(email, PASSWORD)).status).toBe(200)
  })

  test('are forgotten after a right one', async () => {
    const email = 'forgiven@example.com'
    await signUp(client, email)
    for (let round = 0; round < 2; round++) {
      const tries = await failures(FREE_TRIES - 1, email)
      expect(tries.map(({ status }) => status)).toEqual(Array(FREE_TRIES - 1).fill(401))
      expect((await attempt(email, PASSWORD)).status).toBe(200)
    }
  })

  test('of many at once are no more than ten before a refusal', async () => {
    const email = 'parallel-guesses@example.com'
    await signUp(client, email)
    const started = Date.now()
    const replies = await Promise.all(Array.from({ length: 40 }, () => attempt(email, WRONG)))
    const guesses = replies.filter(({ status }) => status === 401).length
    // On a busy machine the delays of 1, 2, 4 s may pass meanwhile, and each lets one more through.
    expect(guesses).toBeLessThanOrEqual(FREE_TRIES + 1 + Math.floor(Math.log2(1 + (Date.now() - started) / 1000)))
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(40 - guesses)
  })

  test('slow no one else: many people of one network sign up and in at once (contract 4)', async () => {
    const people = Array.from({ length: 15 }, (_, nth) => `crowd-${nth}@example.com`)
    await Promise.all(people.map((email) => signUpForTokens(client, email)))
    await Promise.all(people.map((email) => signInForTokens(client, email)))
  })
})
