import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Row, tally, writeFigures } from './figures.ts'
import { holdOAuth, letsIn, type OAuthHolding, oauthPlaces } from './hostile-oauth.ts'
import { type HostileRequest, hostileRequest, type Knowledge, sendHostile } from './hostile-request.ts'
import { mutated } from './mutation.ts'
import {
  bearer,
  connect,
  cookieOf,
  demo,
  inLanes,
  operatorOf,
  PASSWORD,
  refresh,
  requireStatus,
  signIn,
  sleep,
  type Tokens,
} from './person.ts'
import { createRandom, type Random } from './random.ts'
import { SEED, sized } from './size.ts'

const REQUESTS = sized(3_000, 120_000)
const MUTANTS = sized(2_000, 80_000)
const LANES = 16
const RENEWED_EVERY = 150
const HELD_FOR = 500

/** Everything that someone holds who signed up once with a cookie and once with tokens. */
type Holder = { email: string; session: string; device: string; access: string; refresh: string; sub: string; sid: string }

const rows: Row[] = []
const random = createRandom(SEED)
let server: Server
let client: Client
let victim: Holder
let registration: { client_id: string; client_secret: string; registration_access_token: string }
let secrets: string[]
let operations: { method: string; path: string }[]
beforeAll(async () => {
  console.log(`hostile input: SEED=${SEED}`)
  server = await startServer()
  client = connect(server.origin)
  victim = await holder('victim@example.com')
  const metadata = { redirect_uris: ['https://shop.example.com/callback'] }
  registration = requireStatus(await client.post<typeof registration>('/oauth/register', metadata), 201).json
  secrets = [
    registration.client_secret,
    registration.registration_access_token,
    server.vars.SALLYPORT_SECRET ?? '',
    server.vars.ADMIN_TOKEN ?? '',
    PASSWORD,
    tokenIn(victim.session),
    tokenIn(victim.device),
    victim.access,
    victim.refresh,
  ]
  const { paths } = (await client.get<{ paths: Record<string, object> }>('/api/openapi.json')).json
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  )
})
afterAll(async () => {
  client.close()
  await server.stop()
  await writeFigures('hostile', rows)
})

const tokenIn = (cookie: string) => cookie.slice(cookie.indexOf('=') + 1)

async function holder(email: string): Promise<Holder> {
  const made = requireStatus(await client.post<{ sub: string; sid: string }>('/api/sign-up', { email, password: PASSWORD }), 201)
  const tokens = await signIn(client, email)
  const { sub } = made.json
  return {
    email,
    session: cookieOf(made),
    device: cookieOf(made, '__Host-device'),
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    sub,
    sid: tokens.sid,
  }
}

async function knowledge(email: string): Promise<Knowledge> {
  const { session, access, refresh, sub, sid } = await holder(email)
  const oauth = await holdOAuth(server, tokenIn(session))
  return { origin: server.origin, operations, operator: server.vars.ADMIN_TOKEN ?? '', cookie: session, access, refresh, sub, sid, oauth }
}

/** Frames and paths of source code, and what a database says. */
const TRACE = /\bat \S+ \(|\.(ts|js|mjs):\d+|node_modules|file:\/\/|SQLITE_|\bSELECT \w+|#stores|transactionSync/

type Finding = { what: string; request: HostileRequest }

/** Sends `count` requests and collects what no answer may be. */
async function bombard(count: number, next: (random: Random) => Promise<{ request: HostileRequest; how?: string }>) {
  const findings: Finding[] = []
  const answers: (string | number)[] = []
  await inLanes(count, LANES, async () => {
    const { request, how } = await next(random)
    const { status, text } = await sendHostile(server.origin, request)
    answers.push(status)
    const find = (what: string) => findings.push({ what, request })
    if (status === 'late') find('no answer in 5 s')
    if (typeof status === 'number' && status >= 500) find(`answers ${status}`)
    if (how !== undefined && typeof status === 'number' && letsIn(status, text)) find(`accepted: ${how}`)
    if (TRACE.test(text)) find('a stack trace')
    if (secrets.some((secret) => text.includes(secret))) find('a secret')
  })
  return { findings, answers }
}

const shown = ({ what, request: { body, ...request } }: Finding) =>
  `${what}: ${JSON.stringify({ ...request, body: body?.toString('latin1') }).slice(0, 600)}`

/** The victim has lost nothing, and the server's log says neither that there is a bug nor any secret. */
async function expectUnharmed(): Promise<void> {
  expect((await client.get('/api/session', { cookie: victim.session })).status).toBe(200)
  const renewed = requireStatus(await refresh(client, victim.refresh), 200).json
  victim.refresh = renewed.refresh_token
  // The one before may have expired under a long run.
  victim.access = renewed.access_token
  expect((await demo(client, 'live', victim.access)).status).toBe(200)
  const found = await client.get<{ banned: boolean; roles: string[] }>(`/admin/api/accounts?email=${victim.email}`, operatorOf(server))
  expect(found.json).toMatchObject({ banned: false, roles: [] })
  const log = server.output()
  expect(log.split('\n').filter((line) => line.includes('"event":"bug"'))).toEqual([])
  expect(secrets.filter((secret) => log.includes(secret))).toEqual([])
}

/** Where a credential counts: as the cookie, as the bearer token, as the refresh token, as the operator's. */
const PLACES: Record<'session' | 'access' | 'refresh' | 'operator' | 'registration', readonly ((credential: string) => HostileRequest)[]> =
  {
    session: [
      ...['/api/session', '/api/sessions', '/api/demo/session'].map((path) => (value: string) => withCookie('GET', path, value)),
      (value) => withCookie('POST', '/api/token', value, {}),
      (value) => withCookie('POST', '/api/sign-out', value, {}),
      (value) => withCookie('DELETE', '/api/sessions', value),
    ],
    access: ['/api/demo/offline', '/api/demo/fresh', '/api/demo/live', '/api/session', '/api/sessions'].map((path) => (value: string) => ({
      method: 'GET',
      path,
      headers: bearer(value),
    })),
    refresh: ['/api/refresh', '/api/sign-out'].map((path) => (value: string) => withJson('POST', path, {}, { refresh_token: value })),
    operator: ['/admin/api/keys', '/admin/api/accounts?email=victim@example.com'].map((path) => (value: string) => ({
      method: 'GET',
      path,
      headers: bearer(value),
    })),
    registration: [
      (value) => ({ method: 'GET', path: `/oauth/register/${registration.client_id}`, headers: bearer(value) }),
      (value) => ({ method: 'DELETE', path: `/oauth/register/${registration.client_id}`, headers: bearer(value) }),
      (value) => ({ method: 'POST', path: `/oauth/register/${registration.client_id}/secret`, headers: bearer(value) }),
    ],
  }

function withJson(method: string, path: string, headers: Record<string, string>, body: object): HostileRequest {
  return { method, path, headers: { ...headers, 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(body)) }
}

function withCookie(method: string, path: string, value: string, body?: object): HostileRequest {
  const headers = { cookie: `__Host-session=${value}`, origin: server.origin }
  return body ? withJson(method, path, headers, body) : { method, path, headers }
}

describe('hostile input', { timeout: sized(120_000, 3_600_000) }, () => {
  test('of any shape gets a precise refusal: no 5xx, no hang, no secret, no stack trace', async () => {
    let sent = 0
    let known: Promise<Knowledge> | undefined
    const { findings, answers } = await bombard(REQUESTS, async (random) => {
      // The sender's own sessions end under it now and then.
      if (sent++ % RENEWED_EVERY === 0) known = knowledge(`sender-${sent}@example.com`)
      return { request: hostileRequest(random, await (known ?? knowledge('sender@example.com'))) }
    })
    rows.push({
      what: 'malformed requests: answered with 5xx, late, with a secret or a stack trace',
      size: `${REQUESTS} requests over ${operations.length} operations`,
      result: `${findings.length}; answers: ${tally(answers)}`,
    })
    expect(answers.filter((status) => status === 405).length).toBeLessThan(REQUESTS / 4)
    expect([...new Set(findings.map(shown))].slice(0, 20)).toEqual([])
    await expectUnharmed()
  })

  test('made from real tokens is accepted nowhere', async () => {
    const real = {
      session: tokenIn(victim.session),
      access: victim.access,
      refresh: victim.refresh,
      operator: server.vars.ADMIN_TOKEN ?? '',
      registration: registration.registration_access_token,
    }
    const kinds = ['session', 'access', 'refresh', 'operator', 'registration'] as const
    const { findings, answers } = await bombard(MUTANTS, async (random) => {
      const kind = random.pick(kinds)
      const { how, text } = mutated(random, real[kind])
      return { request: random.pick(PLACES[kind])(text), how: `${kind}, ${how}` }
    })
    const result = `${findings.length}; answers: ${tally(answers)}`
    rows.push({ what: 'tokens changed by a bit, a character, a member: accepted', size: `${MUTANTS} tokens`, result })
    expect([...new Set(findings.map(shown))].slice(0, 20)).toEqual([])
    await expectUnharmed()
  })

  test('made from what OAuth hands out is accepted nowhere either', async () => {
    let sent = 0
    let held: Promise<OAuthHolding> | undefined
    const hold = () => holdOAuth(server, tokenIn(victim.session))
    const { findings, answers } = await bombard(MUTANTS, async (random) => {
      // Codes and proofs live a minute.
      if (sent++ % HELD_FOR === 0) held = hold()
      const places = oauthPlaces(await (held ?? hold()))
      const [kind, { real, places: of }] = random.pick(Object.entries(places))
      const { how, text } = mutated(random, real)
      return { request: random.pick(of)(text), how: `${kind}, ${how}` }
    })
    const result = `${findings.length}; answers: ${tally(answers)}`
    const size = `${MUTANTS} of codes, tokens, request_uris, interactions, hints, assertions, proofs`
    rows.push({ what: 'what OAuth hands out, changed by a bit, a character, a member: accepted', size, result })
    expect([...new Set(findings.map(shown))].slice(0, 20)).toEqual([])
    // None of it was used up: unchanged, each is taken at each place but where it goes once.
    const untaken: string[] = []
    for (const [kind, { real, places }] of Object.entries(oauthPlaces(await hold()))) {
      const { status, text } = await sendHostile(server.origin, places.at(-1)?.(real) ?? withJson('GET', '/', {}, {}))
      if (typeof status !== 'number' || !(letsIn(status, text) || text.includes('authorization_pending')))
        untaken.push(`${kind}: ${status} ${text}`)
    }
    expect(untaken).toEqual([])
    await expectUnharmed()
  })

  test('of one kind is never accepted as another', async () => {
    const own = await holder('matrix@example.com')
    const kinds = {
      session: tokenIn(own.session),
      device: tokenIn(own.device),
      refresh: own.refresh,
      access: own.access,
      operator: server.vars.ADMIN_TOKEN ?? '',
      registration: registration.registration_access_token,
      client_secret: registration.client_secret,
    }
    const accepted: string[] = []
    let tried = 0
    for (const [kind, credential] of Object.entries(kinds)) {
      for (const [place, requests] of Object.entries(PLACES)) {
        if (place === kind) continue
        for (const make of requests) {
          const request = make(credential)
          const { status } = await sendHostile(server.origin, request)
          tried += 1
          if (typeof status === 'number' && status < 300) accepted.push(`${kind} as ${place}: ${request.method} ${request.path}`)
        }
      }
    }
    // On the diagonal each is taken, so that the refusals above are for their kind.
    for (const kind of ['session', 'access', 'operator', 'refresh', 'registration'] as const) {
      const [first] = PLACES[kind]
      expect((await sendHostile(server.origin, first?.(kinds[kind]) ?? withJson('GET', '/', {}, {}))).status).toBe(200)
    }
    rows.push({ what: 'tokens of one kind accepted as another', size: `${tried} pairs of token and route`, result: `${accepted.length}` })
    expect(accepted).toEqual([])
  })

  test('of one kind is never taken for a known device', async () => {
    const own = await holder('device@example.com')
    const stranger = await holder('stranger@example.com')
    const body = (password: string) => ({ email: own.email, password })
    await Promise.all(Array.from({ length: 10 }, (_, index) => client.post('/api/sign-in', body(`wrong-${index}`))))
    // The eleventh makes it two seconds, time enough for what follows.
    await sleep(1_100)
    await client.post('/api/sign-in', body('wrong-at-last'))
    const others = [own.session, own.refresh, own.access, stranger.device, mutated(random, tokenIn(own.device)).text].map(tokenIn)
    const replies = await Promise.all(
      others.map((value) => client.post('/api/sign-in', body(PASSWORD), { cookie: `__Host-device=${value}` })),
    )
    const known = await client.post<Tokens>('/api/sign-in', body(PASSWORD), { cookie: own.device })
    const statuses = replies.map(({ status }) => status)
    rows.push({
      what: 'tokens of another kind taken for a device cookie',
      size: `${others.length}`,
      result: `${statuses.filter((status) => status !== 429).length}`,
    })
    expect(statuses).toEqual(others.map(() => 429))
    expect(known.status).toBe(200)
  })
})
