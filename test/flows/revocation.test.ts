import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeFeed, formatCursor } from '../../src/protocol/feed.ts'
import type { Client } from '../support/node/http.ts'
import {
  app,
  bearer,
  browser,
  claimsOf,
  codeOf,
  demo,
  fromOwnPage,
  hybridToken,
  mailsTo,
  msUntil,
  operatorOf,
  PASSWORD,
  refresh,
  requireStatus,
  signIn,
  signInForTokens,
  signUp,
  signUpForTokens,
  type Tokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const NEW_PASSWORD = 'amber-walrus-77-harbour'

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

let people = 0
const newAddress = () => `person-${++people}@example.com`
const subOf = (tokens: { access_token: string }) => claimsOf(tokens.access_token).sub
const operate = async (method: string, path: string, body?: object) =>
  requireStatus(await client.request(method, `/admin/api/accounts/${path}`, body, operatorOf(server)), 204)

/** Live at once, fresh within 5 s of the reply, offline still accepted; both refusals say why. */
async function expectRefused(token: string, live: 'revoked' | 'outdated', fresh: 'revoked' | 'outdated' = live) {
  const said = (description: string) => `Bearer error="invalid_token", error_description="${description}"`
  const at_once = await demo(client, 'live', token)
  expect([at_once.status, at_once.headers['www-authenticate'], codeOf(at_once)]).toEqual([401, said(live), `token_${live}`])
  await msUntil(5_000, 401, () => demo(client, 'fresh', token))
  expect((await demo(client, 'fresh', token)).headers['www-authenticate']).toBe(said(fresh))
  expect((await demo(client, 'offline', token)).status).toBe(200)
}

/** Somebody with a warm token: every verifier has seen it accepted. */
async function person(): Promise<{ email: string; tokens: Tokens }> {
  const email = newAddress()
  const tokens = await signUpForTokens(client, email)
  for (const freshness of ['offline', 'fresh', 'live'] as const)
    expect((await demo(client, freshness, tokens.access_token)).status).toBe(200)
  return { email, tokens }
}

describe.concurrent('what ends a token (contract 5, 5b, 8, 15)', () => {
  test('signing out by refresh token', async () => {
    const { tokens } = await person()
    expect((await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })).status).toBe(204)
    await expectRefused(tokens.access_token, 'revoked')
    expect(codeOf(await refresh(client, tokens.refresh_token))).toBe('invalid_grant')
  })

  test('signing out by cookie ends the hybrid tokens of the session', async () => {
    const page = browser(server.origin)
    await signUp(page, newAddress())
    const token = await hybridToken(page, server)
    expect((await demo(client, 'fresh', token)).status).toBe(200)
    const reply = await page.post('/api/sign-out', undefined, fromOwnPage(server))
    expect([reply.status, page.cookies.has('__Host-session')]).toEqual([204, false])
    await expectRefused(token, 'revoked')
    page.close()
  })

  test('ending one session from another device', async () => {
    const { email, tokens } = await person()
    const other = await signInForTokens(client, email)
    expect((await client.delete(`/api/sessions/${tokens.sid}`, bearer(other.access_token))).status).toBe(204)
    await expectRefused(tokens.access_token, 'revoked')
    expect((await demo(client, 'live', other.access_token)).status).toBe(200)
  })

  test('ending every session: the feed says outdated, and the refresh that follows is refused', async () => {
    const { email, tokens } = await person()
    const other = await signInForTokens(client, email)
    expect((await client.delete('/api/sessions', bearer(other.access_token))).status).toBe(204)
    for (const ended of [tokens, other]) {
      await expectRefused(ended.access_token, 'revoked', 'outdated')
      expect(codeOf(await refresh(client, ended.refresh_token))).toBe('invalid_grant')
    }
  })

  test('a change of roles outdates; one refresh brings the new roles', async () => {
    const { tokens } = await person()
    await operate('PUT', `${subOf(tokens)}/roles`, { roles: ['editor'] })
    await expectRefused(tokens.access_token, 'outdated')
    const next = requireStatus(await refresh(client, tokens.refresh_token), 200).json
    expect(claimsOf(next.access_token)).toMatchObject({ roles: ['editor'], sid: tokens.sid })
    for (const freshness of ['fresh', 'live'] as const) expect((await demo(client, freshness, next.access_token)).status).toBe(200)
  })

  test('a ban: sign-in answers as a wrong password does, until it is lifted', async () => {
    const { email, tokens } = await person()
    await operate('POST', `${subOf(tokens)}/ban`)
    await expectRefused(tokens.access_token, 'revoked', 'outdated')
    expect(codeOf(await refresh(client, tokens.refresh_token))).toBe('invalid_grant')
    const banned = await client.post('/api/sign-in', { email, password: PASSWORD })
    const wrong = await client.post('/api/sign-in', { email, password: `${PASSWORD}x` })
    const shape = ({ json }: { json: Record<string, unknown> }) => ({ ...json, request_id: '' })
    expect([banned.status, shape(banned)]).toEqual([401, shape(wrong)])
    await operate('POST', `${subOf(tokens)}/unban`)
    await signInForTokens(client, email)
    expect((await demo(client, 'live', tokens.access_token)).status).toBe(401)
  })

  test("an operator's end of every session", async () => {
    const { email, tokens } = await person()
    await operate('DELETE', `${subOf(tokens)}/sessions`)
    await expectRefused(tokens.access_token, 'revoked', 'outdated')
    await signInForTokens(client, email)
  })
})

describe('a change of password (contract 5a, 5b)', () => {
  test('keeps the session that made it, ends every other, outdates every access token, and is mailed', async () => {
    const email = newAddress()
    const page = browser(server.origin)
    await signUp(page, email)
    const mine = await hybridToken(page, server)
    const other = await signInForTokens(client, email)
    const body = { current_password: PASSWORD, new_password: NEW_PASSWORD }
    expect((await page.post('/api/password', body, fromOwnPage(server))).status).toBe(204)
    expect((await page.get('/api/session')).status).toBe(200)
    await expectRefused(mine, 'outdated')
    await expectRefused(other.access_token, 'revoked', 'outdated')
    expect((await demo(client, 'live', await hybridToken(page, server))).status).toBe(200)
    expect(codeOf(await refresh(client, other.refresh_token))).toBe('invalid_grant')
    expect((await client.post('/api/sign-in', { email, password: PASSWORD })).status).toBe(401)
    await signIn(browser(server.origin), email, NEW_PASSWORD)
    expect((await mailsTo(client, email)).map(({ subject }) => subject)).toContain('Your password was changed')
    page.close()
  })

  test('by a token session keeps its refresh token', async () => {
    const { tokens } = await person()
    const body = { current_password: PASSWORD, new_password: NEW_PASSWORD }
    expect((await client.post('/api/password', body, bearer(tokens.access_token))).status).toBe(204)
    const next = requireStatus(await refresh(client, tokens.refresh_token), 200).json
    expect((await demo(client, 'live', next.access_token)).status).toBe(200)
  })

  test('needs the current password, and one that may be chosen; else nothing changes', async () => {
    const { email, tokens } = await person()
    const change = (current_password: string, new_password: string) =>
      client.post('/api/password', { current_password, new_password }, bearer(tokens.access_token))
    for (const [current, chosen, status, code] of [
      [`${PASSWORD}x`, NEW_PASSWORD, 403, 'wrong_password'],
      [PASSWORD, 'too short', 422, 'password_too_short'],
      [PASSWORD, 'passwordpassword', 422, 'password_common'],
      [PASSWORD, `${email}${email}`, 422, 'password_contains_identifier'],
    ] as const) {
      const reply = await change(current, chosen)
      expect([chosen, reply.status, codeOf(reply)]).toEqual([chosen, status, code])
    }
    expect((await demo(client, 'live', tokens.access_token)).status).toBe(200)
    await signInForTokens(client, email)
  })
})

describe('the feed (contract 15a)', () => {
  const read = async (after?: string) => {
    const reply = await client.get(`/revocations${after === undefined ? '' : `?after=${after}`}`)
    expect([reply.status, reply.headers['content-type'], reply.headers['cache-control']]).toEqual([
      200,
      'application/octet-stream',
      'no-cache',
    ])
    const feed = decodeFeed(reply.bytes)
    if (!feed.ok) throw new Error('malformed')
    return { ...feed.header, count: feed.count, cursor: formatCursor(feed.header) }
  }

  test('is public: a snapshot, then what has changed since', async () => {
    const first = await read()
    expect(first.snapshot).toBe(true)
    expect(await read(first.cursor)).toMatchObject({ snapshot: false, count: 0 })
    const { tokens } = await person()
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    expect(await read(first.cursor)).toMatchObject({ snapshot: false, count: 1, epoch: first.epoch })
    expect(Math.abs((await read()).asOf - Date.now())).toBeLessThan(5_000)
  })

  test('names nobody: no id of a person, a session or a token is in it', async () => {
    const { tokens } = await person()
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    const bytes = (await client.get('/revocations')).bytes
    expect(bytes.includes(Buffer.from(tokens.sid))).toBe(false)
    expect(bytes.includes(Buffer.from(tokens.sid, 'base64url'))).toBe(false)
    expect(bytes.includes(Buffer.from(tokens.sid, 'base64url').subarray(0, 8))).toBe(false)
  })

  test('refuses what is no cursor', async () => {
    for (const after of [
      '',
      'x',
      '0123456789abcdef.',
      '0123456789abcdef.1e3',
      '0123456789ABCDEF.1',
      '0123456789abcdef.99999999999999999999',
      '%00',
    ]) {
      const reply = await client.get(`/revocations?after=${after}`)
      expect([after, reply.status, codeOf(reply)]).toEqual([after, 400, 'invalid_request'])
    }
    expect((await read('0123456789abcdef.99')).snapshot).toBe(true)
  })

  test('is pushed over a WebSocket before the revocation is acknowledged', async () => {
    const { tokens } = await person()
    const { cursor } = await read()
    const socket = new WebSocket(`${server.origin.replace('http', 'ws').replace('localhost', '127.0.0.1')}/revocations?after=${cursor}`)
    socket.binaryType = 'arraybuffer'
    const counts: number[] = []
    const two = new Promise<void>((resolve) => {
      socket.addEventListener('message', ({ data }) => {
        const feed = decodeFeed(new Uint8Array(data as ArrayBuffer))
        counts.push(feed.ok ? feed.count : -1)
        if (counts.length === 2) resolve()
      })
    })
    await new Promise((resolve) => socket.addEventListener('open', resolve))
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    await two
    expect(counts).toEqual([0, 1])
    socket.close()
  })
})
