import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { makeClientKey, signJws } from '../oauth/proofs.ts'
import type { Client } from '../support/node/http.ts'
import type { Registered } from '../support/node/oauth.ts'
import { app, browser, claimsOf, headerOf, PASSWORD, type Session, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type Arrival, formIn, visit } from './journey.ts'
import { type LogoutReceiver, logoutReceiver } from './logout-receiver.ts'
import { type Completed, errorIn, LOGGED_OUT, type Party, partyOf, registerParty } from './relying-party.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** CreateRandomEndSessionState: longer than most, so that a cut is seen. */
const STATE = 's'.repeat(128)

let server: Server
let http: Client
let party: Party
let session: Session
let client: Registered
let person: Client
let first: Completed
const metadata: Record<string, unknown> = {}

beforeAll(async () => {
  server = await startServer()
  http = app(server.origin)
  party = partyOf(http, { email: 'ann@example.com', password: PASSWORD })
  const own = browser(server.origin)
  session = await signUp(own, party.who.email)
  own.close()
  Object.assign(metadata, (await http.get('/.well-known/openid-configuration')).json)
})
afterEach(() => person?.close())
afterAll(async () => {
  http.close()
  await server.stop()
})

/** The flow that every module begins with. */
async function authorized(members: object = {}): Promise<void> {
  client = await registerParty(http, members)
  person = browser(server.origin)
  first = await party.complete(person, client)
}

type Changes = Record<string, string | undefined>

/** CreateEndSessionEndpointRequest, with changes; undefined takes a parameter away. */
function endSessionPath(changes: Changes = {}): string {
  const parameters: Changes = { id_token_hint: first.tokens.id_token, post_logout_redirect_uri: LOGGED_OUT, state: STATE, ...changes }
  const entries = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return `/oauth/logout?${new URLSearchParams(entries)}`
}

const endSession = (changes: Changes = {}) => visit(person, endSessionPath(changes), party.who)

/** What the suite ends with: a silent request must say that nobody is signed in. */
async function expectSignedOut(): Promise<void> {
  const { sent, arrival } = await party.silently(person, client)
  expect(errorIn(arrival, sent, party.issuer)).toBe('login_required')
}

async function expectStillSignedIn(): Promise<void> {
  const { sent, arrival } = await party.silently(person, client)
  await party.finish(client, sent, arrival)
}

const expectPage = ({ url, last }: Arrival, status: number) => expect([url, last.status]).toEqual([null, status])

function expectAddress({ url }: Arrival, state: string | undefined): void {
  expect(`${url?.origin}${url?.pathname}`).toBe(LOGGED_OUT)
  expect(Object.fromEntries(url?.searchParams ?? [])).toEqual(state === undefined ? {} : { state })
}

const NONE = { id_token_hint: undefined, post_logout_redirect_uri: undefined, state: undefined }

describe('oidcc-rp-initiated-logout-certification-test-plan', () => {
  test('oidcc-rp-initiated-logout-discovery-endpoint-verification', () => {
    expect(metadata.end_session_endpoint).toBe(`${server.origin}/oauth/logout`)
  })

  test('oidcc-rp-initiated-logout', async () => {
    await authorized()
    const arrival = await endSession()
    expect(arrival.shown).toEqual([])
    expectAddress(arrival, STATE)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', async () => {
    await authorized()
    for (const uri of [`${LOGGED_OUT}/bad`, 'https://evil.example/', 'https://rp.example.com/callback']) {
      expectPage(await endSession({ post_logout_redirect_uri: uri }), 400)
    }
    await expectStillSignedIn()
  })

  test('oidcc-rp-initiated-logout-modified-id-token-hint', async () => {
    await authorized()
    const [, claims] = (first.tokens.id_token ?? '').split('.')
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`
    expectPage(await endSession({ id_token_hint: unsigned }), 400)
    await expectStillSignedIn()
  })

  test('oidcc-rp-initiated-logout-no-id-token-hint', async () => {
    await authorized()
    expectPage(await endSession({ id_token_hint: undefined }), 400)
    await expectStillSignedIn()
    // With a client_id the address can be known (RP-Initiated Logout, 2), and the person is asked.
    const asked = await endSession({ id_token_hint: undefined, client_id: client.client_id })
    expect(asked.shown).toEqual(['logout'])
    expectAddress(asked, STATE)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-no-params', async () => {
    await authorized()
    const arrival = await endSession(NONE)
    expect(arrival.shown).toEqual(['logout'])
    expectPage(arrival, 200)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-no-post-logout-redirect-uri', async () => {
    await authorized()
    expectPage(await endSession({ post_logout_redirect_uri: undefined }), 200)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-no-state', async () => {
    await authorized()
    expectAddress(await endSession({ state: undefined }), undefined)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-only-state', async () => {
    await authorized()
    const arrival = await endSession({ ...NONE, state: STATE })
    expect(arrival.shown).toEqual(['logout'])
    expectPage(arrival, 200)
    await expectSignedOut()
  })

  test('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', async () => {
    await authorized()
    expectPage(await endSession({ post_logout_redirect_uri: `${LOGGED_OUT}?foo=bar` }), 400)
    await expectStillSignedIn()
  })

  test('oidcc-rp-initiated-logout-bad-id-token-hint', async () => {
    await authorized()
    const now = Math.floor(Date.now() / 1000)
    const fake = { iss: client.client_id, sub: 'SubjectID', aud: server.origin, nonce: 'flibble', iat: now, exp: now + 300 }
    const good = claimsOf(first.tokens.id_token ?? '')
    const key = await makeClientKey('RS256')
    for (const claims of [fake, good]) {
      const { kid } = headerOf(first.tokens.id_token ?? '')
      expectPage(await endSession({ id_token_hint: await signJws(key, { alg: 'RS256', kid }, claims) }), 400)
    }
    await expectStillSignedIn()
  })
})

describe('oidcc-backchannel-rp-initiated-logout-certification-test-plan', () => {
  let receiver: LogoutReceiver
  beforeAll(async () => {
    receiver = await logoutReceiver()
  })
  afterAll(() => receiver.stop())

  test('oidcc-backchannel-logout-discovery-endpoint-verification', () => {
    expect(metadata).toMatchObject({
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      end_session_endpoint: `${server.origin}/oauth/logout`,
    })
  })

  test('oidcc-backchannel-rp-initiated-logout', async () => {
    await authorized({ backchannel_logout_uri: receiver.uri, backchannel_logout_session_required: true })
    expectAddress(await endSession(), STATE)
    const { method, contentType, form, token } = await receiver.next()
    expect([method, contentType.split(';')[0], [...form.keys()]]).toEqual(['POST', 'application/x-www-form-urlencoded', ['logout_token']])
    const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(server.url('/.well-known/jwks.json'))), {
      issuer: server.origin,
      audience: client.client_id,
      algorithms: ['RS256'],
      typ: 'logout+jwt',
      requiredClaims: ['iat', 'exp', 'jti'],
      maxTokenAge: 120,
    })
    expect(protectedHeader.kid).toEqual(expect.any(String))
    expect(payload).toMatchObject({ sub: session.sub, sid: first.claims.sid, events: { [EVENT]: {} } })
    expect(payload).not.toHaveProperty('nonce')
    await expectSignedOut()
    expect(receiver.waiting).toBe(0)
  })
})

describe('RP-initiated logout beside the plans', () => {
  test('asks first when the hint is of another session, whoever sends it', async () => {
    await authorized()
    const before = first
    person.close()
    person = browser(server.origin)
    first = await party.complete(person, client)
    const page = await person.get(endSessionPath({ id_token_hint: before.tokens.id_token }))
    expect(formIn(page)?.action).toBe('/oauth/logout')
    await expectStillSignedIn()
  })

  test('refuses a hint of another client beside a client_id, and sends nobody anywhere', async () => {
    await authorized()
    const other = await registerParty(http)
    expectPage(await endSession({ client_id: other.client_id }), 400)
    await expectStillSignedIn()
  })

  test('takes a POST of the client by the same request as a GET, and no confirmation from a foreign page', async () => {
    await authorized()
    const form = new URLSearchParams({ client_id: client.client_id, post_logout_redirect_uri: LOGGED_OUT, confirmed: 'yes' })
    const posted = await person.post('/oauth/logout', form, { origin: 'https://rp.example.com' })
    expect(posted.status).toBe(303)
    const page = await person.get(posted.headers.location ?? '')
    expect(formIn(page)?.action).toBe('/oauth/logout')
    await expectStillSignedIn()
  })

  test('sends on whoever is signed out already', async () => {
    await authorized()
    await endSession()
    expectAddress(await endSession(), STATE)
  })
})
