import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DENIAL_KIND_CODES, type DenialKind } from '../../src/protocol/denial.ts'
import { decodeFeed, forEachDenial, formatCursor } from '../../src/protocol/feed.ts'
import { readSipHashKey, sipHashText } from '../../src/protocol/siphash.ts'
import type { Client } from '../support/node/http.ts'
import {
  app,
  browser,
  claimsOf,
  fromOwnPage,
  headerOf,
  operatorOf,
  PASSWORD,
  signInForTokens,
  signUp,
  signUpForTokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

/** Seconds: the longest token and the clocks' skew; and for a key twice the hard age of a key set on top (design, "Revocation"). */
const TOKEN_END = 320
const KEY_END = TOKEN_END + 7_200

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

/** What a cursor's reader is told, each denial as its kind code, its prefix, its bound and its seconds to live. */
async function changes(after?: string) {
  const { bytes } = await client.get(`/revocations${after === undefined ? '' : `?after=${after}`}`)
  const decoded = decodeFeed(new Uint8Array(bytes))
  if (!decoded.ok) throw new Error('malformed')
  const { header, segments } = decoded
  const entries: { kindCode: number; prefix: string; bound: number; lives: number }[] = []
  forEachDenial(segments, (kindCode, hi, lo, bound, end) =>
    entries.push({ kindCode, prefix: `${hi}.${lo}`, bound, lives: end - Math.floor(header.asOf / 1000) }),
  )
  const denialOf = (kind: DenialKind, id: string, bound = 0, end = TOKEN_END) => {
    const prefix = new Uint32Array(2)
    sipHashText(readSipHashKey(header.key), DENIAL_KIND_CODES[kind], id, prefix)
    // Counted from the revocation, a moment before: within 5 s.
    return { kindCode: DENIAL_KIND_CODES[kind], prefix: prefix.join('.'), bound, lives: expect.closeTo(end, -1) }
  }
  return { ...header, cursor: formatCursor(header), entries, denialOf }
}

describe('what the feed says (contract 15a, design "Revocation")', () => {
  test('of the end of one session: its sid', async () => {
    const { cursor } = await changes()
    const tokens = await signUpForTokens(client, 'one@example.com')
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    const { entries, denialOf } = await changes(cursor)
    expect(entries).toEqual([denialOf('sid', tokens.sid)])
  })

  test('of an end repeated: nothing more', async () => {
    const tokens = await signUpForTokens(client, 'repeated@example.com')
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    const { cursor } = await changes()
    await client.post('/api/sign-out', { refresh_token: tokens.refresh_token })
    expect((await changes(cursor)).entries).toEqual([])
  })

  test('of everything that raises an account at once: one sub with its ver, however many sessions', async () => {
    const person = browser(server.origin)
    const { sub } = await signUp(person, 'many@example.com')
    for (let nth = 0; nth < 5; nth++) await signInForTokens(client, 'many@example.com')
    const { cursor } = await changes()
    await client.put(`/admin/api/accounts/${sub}/roles`, { roles: ['editor'] }, operatorOf(server))
    await person.post('/api/password', { current_password: PASSWORD, new_password: 'silent-marten-52-harbour' }, fromOwnPage(server))
    await person.delete('/api/sessions', fromOwnPage(server))
    const { entries, denialOf } = await changes(cursor)
    expect(entries).toEqual([denialOf('sub', sub, 2), denialOf('sub', sub, 3), denialOf('sub', sub, 4)])
    const { access_token } = await signInForTokens(client, 'many@example.com', 'silent-marten-52-harbour')
    expect(claimsOf(access_token).ver).toBe(4)
    person.close()
  })

  test('of a revoked key: its kid, until no verifier can hold the key', async () => {
    const { access_token } = await signUpForTokens(client, 'key@example.com')
    const { kid } = headerOf(access_token)
    const { cursor } = await changes()
    await client.post(`/admin/api/keys/${kid}/revoke`, undefined, operatorOf(server))
    const { entries, denialOf } = await changes(cursor)
    expect(entries).toEqual([denialOf('kid', kid, 0, KEY_END)])
  })

  test('of a sign-in, a refresh, a rotation of keys and an unban: nothing', async () => {
    const tokens = await signUpForTokens(client, 'quiet@example.com')
    const { cursor, sequence } = await changes()
    await signInForTokens(client, 'quiet@example.com')
    await client.post('/api/refresh', { refresh_token: tokens.refresh_token })
    await client.post('/admin/api/keys/rotate', undefined, operatorOf(server))
    await client.post(`/admin/api/accounts/${claimsOf(tokens.access_token).sub}/unban`, undefined, operatorOf(server))
    expect(await changes(cursor)).toMatchObject({ snapshot: false, sequence, entries: [] })
  })

  test('to a cursor of another epoch, or one it has not reached: all of it', async () => {
    const whole = await changes()
    expect(whole.snapshot).toBe(true)
    for (const after of [`0123456789abcdef.${whole.sequence}`, `${whole.epoch}.${whole.sequence + 1000}`]) {
      const { snapshot, entries } = await changes(after)
      expect([snapshot, entries.length]).toEqual([true, whole.entries.length])
    }
  })

  test('to a page of any origin: the same, without credentials', async () => {
    const { status, headers } = await client.get('/revocations', { origin: 'https://anybody.example' })
    expect([status, headers['access-control-allow-origin'], headers['access-control-allow-credentials']]).toEqual([200, '*', undefined])
  })
})
