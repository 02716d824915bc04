import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { authorizationQuery, CALLBACK, decide, interactionIn, locationOf, pkce, register } from '../support/node/oauth.ts'
import { app, bearer, browser, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// What was once found by attacking the authorization server from outside. Each of these has failed before.

let server: Server
let http: Client
let person: Client
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: 'https://api.example.com', SCOPES: 'notes:read notes:write' } })
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
