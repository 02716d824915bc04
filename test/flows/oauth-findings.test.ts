import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { authorizationQuery, CALLBACK, decide, interactionIn, locationOf, pkce, postAs, register } from '../support/node/oauth.ts'
import { app, bearer, browser, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// What was once found by attacking the authorization server from outside. Each of these has failed before.

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const OWN_APP = 'https://app.example.net'

let server: Server
let http: Client
let person: Client
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: 'https://api.example.com', SCOPES: 'notes:read notes:write', ALLOWED_ORIGINS: OWN_APP } })
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

describe('a consent', () => {
  test('is to the scopes that the page showed, whatever the client registers before the person answers', async () => {
    const client = await register(http, { scope: 'openid' })
    const page = await person.get(
      `/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, { scope: 'openid notes:read notes:write' })}`,
    )
    expect(page.text).not.toContain('notes:write')
    const wider = { client_id: client.client_id, redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' }
    const manager = bearer(client.registration_access_token)
    expect((await http.request('PUT', client.registration_client_uri, wider, manager)).status).toBe(200)
    const answer = await decide(person, interactionIn(page), 'allow')
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('notes:write')
    expect((await decide(person, interactionIn(answer), 'allow')).status).toBe(303)
  })

  test('sends to the address that the page showed, whatever the client registers before the person answers', async () => {
    const client = await register(http, { scope: 'notes:read' })
    const query = authorizationQuery(client, pkce().code_challenge, { scope: 'notes:read', redirect_uri: undefined })
    const page = await person.get(`/oauth/authorize?${query}`)
    expect(page.text).toContain('app.example.com')
    const elsewhere = { client_id: client.client_id, redirect_uris: ['https://evil.example/'], token_endpoint_auth_method: 'none' }
    const manager = bearer(client.registration_access_token)
    expect((await http.request('PUT', client.registration_client_uri, elsewhere, manager)).status).toBe(200)
    for (const decision of ['allow', 'deny']) {
      const answer = await decide(person, interactionIn(page), decision)
      expect([answer.status, answer.headers.location], decision).toEqual([400, undefined])
    }
  })

  test('is given on our own pages only: no app of the operator, whose cookie requests we take, allows another one access', async () => {
    const client = await register(http, { grant_types: [DEVICE_GRANT] })
    const asked = await postAs<{ user_code: string; device_code: string }>(http, '/oauth/device_authorization', client, {})
    const { user_code, device_code } = asked.json
    const allowed = await person.post('/device', new URLSearchParams({ user_code, decision: 'allow' }), { origin: OWN_APP })
    expect(allowed.status).toBe(403)
    const polled = await postAs(http, '/oauth/token', client, { grant_type: DEVICE_GRANT, device_code })
    expect(polled.json.error).toBe('authorization_pending')
    const other = await register(http)
    const page = await person.get(`/oauth/authorize?${authorizationQuery(other, pkce().code_challenge)}`)
    const fields = new URLSearchParams({ interaction: interactionIn(page), decision: 'allow' })
    expect((await person.post('/consent', fields, { origin: OWN_APP })).status).toBe(403)
  })
})

describe('an authorization request', () => {
  test('that grows too long once it is sealed is refused where it is asked, not lost on the way', async () => {
    const client = await register(http)
    const query = authorizationQuery(client, pkce().code_challenge, { login_hint: '\u0001'.repeat(2000) })
    const asked = await http.get(`/oauth/authorize?${query}`)
    expect(locationOf(asked).searchParams.get('error')).toBe('invalid_request')
    const pushed = await http.post('/oauth/par', new URLSearchParams(query))
    expect(pushed.status, pushed.text).toBe(400)
    expect(pushed.json.error).toBe('invalid_request')
  })
})

describe('the management of a registration', () => {
  test.each([[{ toString: null, valueOf: null }], [{}], [[]], [1], [true]])('takes no client_secret that is %j', async (client_secret) => {
    const client = await register(http, { token_endpoint_auth_method: 'client_secret_basic' })
    const body = { client_id: client.client_id, redirect_uris: [CALLBACK], client_secret }
    const reply = await http.request('PUT', client.registration_client_uri, body, bearer(client.registration_access_token))
    expect(reply.status, reply.text).toBe(400)
    expect(reply.json.error).toBe('invalid_client_metadata')
  })
})
