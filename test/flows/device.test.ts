// The device flow (RFC 8628) over HTTP; its clock is in test/objects/device-request.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { userinfo as boundUserinfo, fapiClient } from '../support/node/fapi.ts'
import type { Client } from '../support/node/http.ts'
import { locationOf, type OAuthProblem, postAs, type Registered, refreshAs, register, type TokenAnswer } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, msUntil, PASSWORD, requireStatus, type Session, signIn, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const API = 'https://api.example.com'
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const DEVICE = { redirect_uris: [], grant_types: [GRANT, 'refresh_token'], response_types: [], client_name: 'Television' }

type Begun = {
  device_code: string
  user_code: string
  verification_uri: string
  verification_uri_complete: string
  expires_in: number
  interval: number
}

let server: Server
let http: Client
let person: Client
let session: Session
let television: Registered
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: API, SCOPES: 'notes:read' } })
  http = app(server.origin)
  person = browser(server.origin)
  session = await signUp(person, 'ann@example.com')
  television = await register(http, DEVICE)
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const begin = async (form: Record<string, string> = { scope: 'openid offline_access' }, client = television) =>
  requireStatus(await postAs<Begun>(http, '/oauth/device_authorization', client, form), 200).json
const poll = ({ device_code }: Pick<Begun, 'device_code'>, client = television) =>
  postAs(http, '/oauth/token', client, { grant_type: GRANT, device_code })
const answerOf = async (reply: Promise<{ status: number; json: TokenAnswer }>) => [(await reply).status, (await reply).json.error]

/** What the form of the device page posts. */
const type = (who: Client, user_code: string, more: Record<string, string> = {}) =>
  who.post('/device', new URLSearchParams({ user_code, ...more }), { origin: server.origin })

async function approve(who: Client, { user_code }: Begun, decision = 'allow') {
  requireStatus(await type(who, user_code), 200)
  return requireStatus(await type(who, user_code, { decision }), 200)
}

async function somebody(name: string) {
  const own = browser(server.origin)
  await signUp(own, `${name}@example.com`)
  return own
}

describe('a device and its person', () => {
  test('come together by a code that is typed: the page asks, the person allows, the device has tokens', async () => {
    const begun = await begin({ scope: 'openid email offline_access' })
    expect(begun).toEqual({
      device_code: expect.stringMatching(/^[\w-]{40,}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: server.url('/device'),
      verification_uri_complete: server.url(`/device?user_code=${begun.user_code}`),
      expires_in: 600,
      interval: 5,
    })
    expect(begun.device_code).not.toContain(begun.user_code.replace('-', ''))
    expect(await answerOf(poll(begun))).toEqual([400, 'authorization_pending'])

    const form = await person.get(begun.verification_uri_complete)
    expect(form.status).toBe(200)
    expect(form.text).toContain(`value="${begun.user_code}"`)
    const confirm = await type(person, ` ${begun.user_code.toLowerCase().replace('-', ' ')}`)
    expect(confirm.status).toBe(200)
    for (const shown of ['Television', begun.user_code, 'ann@example.com']) expect(confirm.text).toContain(shown)
    expect((await type(person, begun.user_code, { decision: 'allow' })).status).toBe(200)

    const reply = await poll(begun)
    expect(reply.status, reply.text).toBe(200)
    expect(reply.headers['cache-control']).toBe('no-store')
    const { access_token, refresh_token = '', id_token = '' } = reply.json
    expect(claimsOf(access_token)).toMatchObject({ sub: session.sub, client_id: television.client_id, aud: server.origin })
    expect(claimsOf(id_token)).toMatchObject({ sub: session.sub, aud: television.client_id, sid: session.sid })
    expect((await http.get('/oauth/userinfo', bearer(access_token))).json).toMatchObject({ email: 'ann@example.com' })
    expect((await refreshAs(http, television, refresh_token)).status).toBe(200)
  })

  test('an eager device is told to slow down, which changes nothing for its person', async () => {
    const begun = await begin()
    const answers = await Promise.all(Array.from({ length: 10 }, () => poll(begun)))
    expect([...new Set(answers.map(({ json }) => json.error))].sort()).toEqual(['authorization_pending', 'slow_down'])
    await approve(person, begun)
    expect((await poll(begun)).status).toBe(200)
  })

  test('a denial is told to the device, and is the last word', async () => {
    const begun = await begin()
    await approve(person, begun, 'deny')
    expect(await answerOf(poll(begun))).toEqual([400, 'access_denied'])
    expect((await type(person, begun.user_code, { decision: 'allow' })).status).toBe(400)
    expect(await answerOf(poll(begun))).toEqual([400, 'access_denied'])
  })

  test('without a session the page leads to sign-in and back, the code still typed', async () => {
    const begun = await begin()
    const stranger = browser(server.origin)
    const to = locationOf(requireStatus(await stranger.get(begun.verification_uri_complete), 303))
    expect([to.pathname, to.searchParams.get('continue')]).toEqual(['/sign-in', `/device?user_code=${begun.user_code}`])
    const fields = { continue: to.searchParams.get('continue') ?? '', email: 'ann@example.com', password: PASSWORD }
    const on = requireStatus(await stranger.post('/sign-in', new URLSearchParams(fields), { origin: server.origin }), 303)
    expect((await stranger.get(on.headers.location ?? '')).text).toContain(begun.user_code)
    expect(locationOf(requireStatus(await type(browser(server.origin), 'x<y>', { decision: 'allow' }), 303)).href).not.toContain('<')
    stranger.close()
  })

  test('the tokens are for the resource that was asked for, with the scopes that were shown', async () => {
    const begun = await begin({ scope: 'notes:read', resource: API })
    await approve(person, begun)
    const { access_token, id_token } = (await poll(begun)).json
    expect(claimsOf(access_token)).toMatchObject({ aud: API, scope: 'notes:read' })
    expect(id_token).toBe(undefined)
  })

  test('a device that has a key has bound tokens', async () => {
    const keyed = await fapiClient(http, { ...DEVICE, token_endpoint_auth_method: 'none', require_pushed_authorization_requests: false })
    const begun = (await keyed.post<Begun>('/oauth/device_authorization', { scope: 'openid' }, { proof: null })).json
    await approve(person, begun)
    const form = { grant_type: GRANT, device_code: begun.device_code }
    expect((await keyed.post('/oauth/token', form, { proof: null })).json.error).toBe('invalid_dpop_proof')
    const { access_token, token_type } = requireStatus(await keyed.post('/oauth/token', form), 200).json
    expect(token_type).toBe('DPoP')
    expect((await boundUserinfo(http, keyed, access_token)).status).toBe(200)
  })
})

describe('somebody else', () => {
  test('cannot decide what another session has looked at, by another account or the same one', async () => {
    const begun = await begin()
    requireStatus(await type(person, begun.user_code), 200)
    const eve = await somebody('eve')
    const same = browser(server.origin)
    await signIn(same, 'ann@example.com')
    for (const other of [eve, same]) {
      for (const more of [{}, { decision: 'allow' }, { decision: 'deny' }]) {
        const reply = await type(other, begun.user_code, more)
        expect(reply.status).toBe(400)
        expect(reply.text).not.toContain('Television')
      }
      other.close()
    }
    expect((await type(person, begun.user_code, { decision: 'allow' })).status).toBe(200)
    expect(claimsOf((await poll(begun)).json.access_token)).toMatchObject({ sub: session.sub })
  })

  test('cannot make a page of theirs decide', async () => {
    const begun = await begin()
    requireStatus(await type(person, begun.user_code), 200)
    const fields = new URLSearchParams({ user_code: begun.user_code, decision: 'allow' })
    for (const headers of [{}, { origin: 'https://evil.example' }, { origin: 'null' }]) {
      expect((await person.post('/device', fields, headers)).status).toBe(403)
    }
    expect(await answerOf(poll(begun))).toEqual([400, 'authorization_pending'])
  })

  test('polls in vain with another client, and does the device no harm', async () => {
    const begun = await begin()
    await approve(person, begun)
    const other = await register(http, DEVICE)
    expect(await answerOf(poll(begun, other))).toEqual([400, 'invalid_grant'])
    expect((await poll(begun)).status).toBe(200)
  })

  test('polls in vain with anything that is no device code', async () => {
    const begun = await begin()
    await approve(person, begun)
    const changed = `${begun.device_code.slice(0, -2)}${begun.device_code.endsWith('AA') ? 'BB' : 'AA'}`
    for (const device_code of [begun.user_code, changed, 'x', person.cookies.get('__Host-session') ?? '']) {
      expect(await answerOf(poll({ device_code }))).toEqual([400, 'invalid_grant'])
    }
    expect((await postAs(http, '/oauth/token', television, { grant_type: GRANT })).json.error).toBe('invalid_request')
    expect((await poll(begun)).status).toBe(200)
  })
})

test('wrong user codes are counted for the session, however many come at once, and no other session waits for them', async () => {
  const begun = await begin()
  const [guesser, other] = [await somebody('guesser'), await somebody('other')]
  const wrong = ['BBBB-BBBB', 'nonsense', '', 'BBBBBBBC', 'ЖЖЖЖ-ЖЖЖЖ']
  const replies = await Promise.all(Array.from({ length: 40 }, (_, at) => type(guesser, wrong[at % wrong.length] ?? '')))
  const looked = replies.filter(({ status }) => status === 400)
  const refused = replies.filter(({ status }) => status === 429)
  expect(looked.length + refused.length).toBe(40)
  // Ten at once, then one after 1, 2, 4 and 8 seconds: a machine may be slow. Exactly ten: test/objects/device-request.test.ts.
  expect(looked.length).toBeGreaterThanOrEqual(10)
  expect(looked.length).toBeLessThanOrEqual(14)
  for (const { headers } of refused) expect(Number(headers['retry-after'])).toBeGreaterThan(0)
  expect((await type(other, begun.user_code)).status).toBe(200)
  for (const own of [guesser, other]) own.close()
})

describe('a device code', () => {
  test('that comes again ends what its first use gave', async () => {
    const begun = await begin()
    await approve(person, begun)
    const { access_token, refresh_token = '' } = requireStatus(await poll(begun), 200).json
    expect(await answerOf(poll(begun))).toEqual([400, 'invalid_grant'])
    expect((await refreshAs(http, television, refresh_token)).json.error).toBe('invalid_grant')
    await msUntil(5000, 401, () => http.get('/oauth/userinfo', bearer(access_token)))
  })

  test('of 50 polls at once gives one answer with tokens at most, and they do not outlive the storm', async () => {
    const begun = await begin()
    await approve(person, begun)
    const replies = await Promise.all(Array.from({ length: 50 }, () => poll(begun)))
    const won = replies.filter(({ status }) => status === 200)
    expect(won.length).toBeLessThanOrEqual(1)
    expect(replies.filter(({ status }) => status !== 200).every(({ json }) => json.error === 'invalid_grant')).toBe(true)
    for (const { json } of won) expect((await refreshAs(http, television, json.refresh_token ?? '')).json.error).toBe('invalid_grant')
  })

  test('is worth nothing once the session that allowed it has ended', async () => {
    const leaving = await somebody('leaving')
    const begun = await begin()
    await approve(leaving, begun)
    requireStatus(await leaving.post('/api/sign-out', {}, { origin: server.origin }), 204)
    expect(await answerOf(poll(begun))).toEqual([400, 'invalid_grant'])
    leaving.close()
  })
})

test.each([
  ['a scope that this issuer does not know', {}, { scope: 'nonsense' }, 400, 'invalid_scope'],
  ['the scope of our own apps', {}, { scope: 'account' }, 400, 'invalid_scope'],
  ['a scope beyond the client’s', { scope: 'openid' }, { scope: 'openid email' }, 400, 'invalid_scope'],
  ['an unknown resource', {}, { resource: 'https://evil.example' }, 400, 'invalid_target'],
  ['a client without the grant', { grant_types: ['refresh_token'] }, {}, 400, 'unauthorized_client'],
  [
    'a client that does not prove itself',
    { token_endpoint_auth_method: 'client_secret_post' },
    { client_secret: 'x' },
    401,
    'invalid_client',
  ],
  ['nobody', {}, { client_id: 'AAAAAAAAAAAAAAAAAAAAAA' }, 401, 'invalid_client'],
])('a device is refused that asks for or as %s', async (_, metadata, form, status, error) => {
  const client = await register(http, { ...DEVICE, ...metadata })
  const reply = await postAs<OAuthProblem>(http, '/oauth/device_authorization', client, form)
  expect([reply.status, reply.json.error], reply.text).toEqual([status, error])
})
