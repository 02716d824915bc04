import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import type { Registered } from '../support/node/oauth.ts'
import { app, bearer, browser, fromOwnPage, operatorOf, PASSWORD, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type LogoutReceiver, logoutReceiver } from './logout-receiver.ts'
import { LOGGED_OUT, partyOf, registerParty } from './relying-party.ts'

let server: Server
let http: Client
let receiver: LogoutReceiver
beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  receiver = await logoutReceiver()
})
afterAll(async () => {
  await receiver.stop()
  http.close()
  await server.stop()
})

type Somebody = { email: string; sub: string; people: Client[]; sids: string[] }

let count = 0

/** A person of their own with so many sessions, each of which has given this client tokens. */
async function somebody(client: Registered, sessions: number): Promise<Somebody & { id_tokens: string[] }> {
  count += 1
  const email = `person-${count}@example.com`
  const first = browser(server.origin)
  const { sub } = await signUp(first, email)
  const party = partyOf(http, { email, password: PASSWORD })
  const people = [first, ...Array.from({ length: sessions - 1 }, () => browser(server.origin))]
  const sids: string[] = []
  const id_tokens: string[] = []
  for (const person of people) {
    const { claims, tokens } = await party.complete(person, client)
    sids.push(String(claims.sid))
    id_tokens.push(tokens.id_token ?? '')
  }
  return { email, sub, people, sids, id_tokens }
}

const partyWith = (uri: string | undefined) => registerParty(http, uri === undefined ? {} : { backchannel_logout_uri: uri })

async function read(token: string, client: Registered) {
  const keys = createRemoteJWKSet(new URL(server.url('/.well-known/jwks.json')))
  return (await jwtVerify(token, keys, { issuer: server.origin, audience: client.client_id, typ: 'logout+jwt' })).payload
}

const signOut = (person: Client) => person.post('/api/sign-out', {}, fromOwnPage(server))
const closeAll = ({ people }: Somebody) => {
  for (const person of people) person.close()
}

describe('a client is told', () => {
  test.each<[string, (it: Somebody) => Promise<Reply<unknown>>]>([
    ['signing out', ({ people: [own] }) => signOut(own ?? http)],
    [
      'ending a session from another',
      ({ people: [, other], sids: [sid] }) => (other ?? http).delete(`/api/sessions/${sid}`, fromOwnPage(server)),
    ],
  ])('of %s: this session, once', async (_, end) => {
    const client = await partyWith(receiver.uri)
    const it = await somebody(client, 2)
    expect((await end(it)).status).toBe(204)
    const claims = await read((await receiver.next()).token, client)
    expect([claims.sub, claims.sid]).toEqual([it.sub, it.sids[0]])
    // Ended again it is not ended once more: what comes next is of the other session.
    await end(it)
    expect((await it.people[1]?.delete('/api/sessions', fromOwnPage(server)))?.status).toBe(204)
    expect((await read((await receiver.next()).token, client)).sid).toBe(it.sids[1])
    expect(receiver.waiting).toBe(0)
    closeAll(it)
  })

  test.each<[string, (it: Somebody) => Promise<Reply<unknown>>]>([
    ['logging out everywhere', ({ people: [own] }) => (own ?? http).delete('/api/sessions', fromOwnPage(server))],
    ['an operator ending all sessions', ({ sub }) => http.delete(`/admin/api/accounts/${sub}/sessions`, operatorOf(server))],
    ['a ban', ({ sub }) => http.post(`/admin/api/accounts/${sub}/ban`, undefined, operatorOf(server))],
  ])('of %s: each session, each once', async (_, end) => {
    const client = await partyWith(receiver.uri)
    const it = await somebody(client, 3)
    expect((await end(it)).status).toBe(204)
    const told = [await receiver.next(), await receiver.next(), await receiver.next()]
    const claims = await Promise.all(told.map(({ token }) => read(token, client)))
    expect(claims.map(({ sid }) => sid).sort()).toEqual([...it.sids].sort())
    expect(claims.every(({ sub }) => sub === it.sub)).toBe(true)
    expect(new Set(claims.map(({ jti }) => jti)).size).toBe(3)
    closeAll(it)
  })

  test('of a changed password: the sessions that it ends', async () => {
    const client = await partyWith(receiver.uri)
    const it = await somebody(client, 2)
    const body = { current_password: PASSWORD, new_password: 'another-otter-77-candle' }
    expect((await it.people[0]?.post('/api/password', body, fromOwnPage(server)))?.status).toBe(204)
    expect((await read((await receiver.next()).token, client)).sid).toBe(it.sids[1])
    closeAll(it)
  })

  test('at its own address only, and not at all if it has none', async () => {
    const other = await logoutReceiver()
    const [here, there, nowhere] = [await partyWith(receiver.uri), await partyWith(other.uri), await partyWith(undefined)]
    const it = await somebody(here, 1)
    const party = partyOf(http, { email: it.email, password: PASSWORD })
    const [own] = it.people
    if (!own) throw new Error('nobody')
    await party.complete(own, there)
    await party.complete(own, nowhere)
    expect((await signOut(own)).status).toBe(204)
    await read((await receiver.next()).token, here)
    await read((await other.next()).token, there)
    expect([receiver.waiting, other.waiting]).toEqual([0, 0])
    closeAll(it)
    await other.stop()
  })
})

test('a client that has moved in the middle of a session is told once, where it listens now', async () => {
  const moved = await logoutReceiver()
  const client = await partyWith(receiver.uri)
  const it = await somebody(client, 1)
  const [own] = it.people
  if (!own) throw new Error('nobody')
  const members = { ...client, client_secret: undefined, backchannel_logout_uri: moved.uri }
  expect((await http.put(client.registration_client_uri, members, bearer(client.registration_access_token))).status).toBe(200)
  await partyOf(http, { email: it.email, password: PASSWORD }).complete(own, client)
  expect((await signOut(own)).status).toBe(204)
  expect((await read((await moved.next()).token, client)).sid).toBe(it.sids[0])
  // What is told of the next session comes after all that was told of this one.
  const again = await somebody(client, 1)
  expect((await signOut(again.people[0] ?? http)).status).toBe(204)
  expect((await read((await moved.next()).token, client)).sid).toBe(again.sids[0])
  expect([receiver.waiting, moved.waiting]).toEqual([0, 0])
  for (const each of [it, again]) closeAll(each)
  await moved.stop()
})

describe('a client that is away', () => {
  test('never delays who signs out, and hears of it when it is back, in order', async () => {
    const own = await logoutReceiver()
    const client = await partyWith(own.uri)
    const it = await somebody(client, 3)
    await own.leave()
    for (const person of it.people) expect((await signOut(person)).status).toBe(204)
    await own.comeBack()
    const told = [await own.next(), await own.next(), await own.next()]
    expect(await Promise.all(told.map(async ({ token }) => (await read(token, client)).sid))).toEqual(it.sids)
    closeAll(it)
    await own.stop()
  })

  test('or that does not answer: the redirect after the logout does not wait for it', async () => {
    const own = await logoutReceiver()
    const client = await partyWith(own.uri)
    const it = await somebody(client, 1)
    const [person] = it.people
    const query = new URLSearchParams({ id_token_hint: it.id_tokens[0] ?? '', post_logout_redirect_uri: LOGGED_OUT })
    const answered = person?.get(`/oauth/logout?${query}`)
    const held = await own.next(true)
    expect((await answered)?.headers.location).toBe(LOGGED_OUT)
    // Whoever had waited for the client would have been answered only after it was given up.
    expect(held.abandoned).toBe(false)
    held.answer(200)
    closeAll(it)
    await own.stop()
  })

  // Beside each other: both wait for the second try.
  test.concurrent.each([
    ['refuses', 503],
    ['redirects, which is no answer and leads nowhere', 307],
  ])('or that %s: the same notice comes again with the same jti, signed anew, so that it counts once', async (_, status) => {
    const own = await logoutReceiver()
    const client = await partyWith(own.uri)
    const it = await somebody(client, 1)
    expect((await signOut(it.people[0] ?? http)).status).toBe(204)
    const refused = await own.next(true)
    refused.answer(status)
    const again = await own.next()
    const [before, after] = [await read(refused.token, client), await read(again.token, client)]
    expect([after.jti, after.sid, after.sub]).toEqual([before.jti, before.sid, before.sub])
    expect(after.iat).toBeGreaterThan(before.iat ?? 0)
    closeAll(it)
    await own.stop()
  })
})

describe('a crash', () => {
  test('of the server loses no notice', async () => {
    const own = await logoutReceiver()
    const client = await partyWith(own.uri)
    const it = await somebody(client, 1)
    await own.leave()
    expect((await signOut(it.people[0] ?? http)).status).toBe(204)
    await server.kill9()
    await own.comeBack()
    await server.restart()
    expect((await read((await own.next()).token, client)).sid).toBe(it.sids[0])
    closeAll(it)
    await own.stop()
  })

  test('after the client has a notice and before that is noted brings it again, with the same jti, before the next one', async () => {
    const own = await logoutReceiver()
    const client = await partyWith(own.uri)
    const it = await somebody(client, 2)
    for (const person of it.people) expect((await signOut(person)).status).toBe(204)
    const before = await own.next(true)
    await server.kill9()
    await server.restart()
    const [again, next] = [await own.next(), await own.next()]
    const claims = await Promise.all([before, again, next].map(({ token }) => read(token, client)))
    expect(claims.map(({ sid }) => sid)).toEqual([it.sids[0], it.sids[0], it.sids[1]])
    expect(claims[1]?.jti).toBe(claims[0]?.jti)
    closeAll(it)
    await own.stop()
  })
})
