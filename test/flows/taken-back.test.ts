import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { CALLBACK, postAs, type Registered, refreshAs, register, type TokenAnswer, tokensFor } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, codeOf, refresh, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// What an operator or a client's registration takes back after a grant: the next refresh no longer gives it.

const API = 'https://api.example.com'
const VARS = { AUDIENCES: API, SCOPES: 'notes:read notes:write' }
const SCOPE = 'openid offline_access notes:read notes:write'

let server: Server
let http: Client
let person: Client
beforeAll(async () => {
  server = await startServer({ vars: VARS })
  http = app(server.origin)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
})
afterAll(async () => {
  http.close()
  person.close()
  await server.stop()
})

const tokenOf = ({ refresh_token = '' }: TokenAnswer): string => refresh_token
const next = async (client: Registered, token: string, form = {}) => requireStatus(await refreshAs(http, client, token, form), 200).json

/** RFC 7592: the client as it was, but for its scope. */
async function allow(client: Registered, scope: string): Promise<void> {
  const metadata = { client_id: client.client_id, redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', scope }
  const changed = await http.request('PUT', client.registration_client_uri, metadata, bearer(client.registration_access_token))
  requireStatus(changed, 200)
}

describe("a client's own scope, narrowed after the grant", () => {
  test('narrows the next refresh, and every replay of it in the grace window', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: SCOPE })
    const before = await next(client, tokenOf(granted))
    expect(before.scope).toBe(SCOPE)
    await allow(client, 'openid offline_access notes:read')
    const replayed = await next(client, tokenOf(granted))
    expect(replayed.refresh_token).toBe(before.refresh_token)
    expect([replayed.scope, claimsOf(replayed.access_token).scope]).toEqual(Array(2).fill('openid offline_access notes:read'))
    const after = await next(client, tokenOf(replayed), { scope: 'notes:read notes:write' })
    expect(after.scope).toBe('notes:read')
    await allow(client, SCOPE)
    expect((await next(client, tokenOf(after))).scope).toBe(SCOPE)
  })

  test('of which nothing remains is refused; the family lives, and is as it was when the scope is given back', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: 'notes:write' })
    await allow(client, 'notes:read')
    const refused = await refreshAs(http, client, tokenOf(granted))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_scope'])
    await allow(client, 'notes:write')
    expect((await next(client, tokenOf(granted))).scope).toBe('notes:write')
  })

  test('without openid: no ID token any more; without offline_access: no life after the session', async () => {
    const guest = browser(server.origin)
    await signUp(guest, 'guest@example.com')
    const client = await register(http)
    const granted = await tokensFor(http, guest, client, { scope: SCOPE })
    await allow(client, 'notes:read')
    const narrowed = await next(client, tokenOf(granted))
    expect(narrowed).not.toHaveProperty('id_token')
    requireStatus(await guest.post('/api/sign-out', {}, { origin: guest.origin }), 204)
    const refused = await refreshAs(http, client, tokenOf(narrowed))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_scope'])
    await allow(client, SCOPE)
    expect((await next(client, tokenOf(narrowed))).scope).toBe(SCOPE)
    guest.close()
  })
})

test('a family that has ended is told so, whatever else is no longer allowed or was never granted', async () => {
  const client = await register(http)
  const granted = await tokensFor(http, person, client, { scope: SCOPE })
  requireStatus(await postAs(http, '/oauth/revoke', client, { token: tokenOf(granted) }), 200)
  await allow(client, 'email')
  for (const form of [{}, { scope: 'notes:write' }, { scope: 'email' }, { resource: 'https://other.example' }]) {
    const refused = await refreshAs(http, client, tokenOf(granted), form)
    expect([refused.status, refused.json.error], JSON.stringify(form)).toEqual([400, 'invalid_grant'])
  }
})

describe('SCOPES and AUDIENCES, narrowed after the grant', () => {
  test('narrow the next refresh of a client and of the own apps, until they are as before', async () => {
    const client = await register(http)
    const granted = await tokensFor(http, person, client, { scope: SCOPE, resource: `${API} ${server.origin}` })
    const asked = { email: 'own@example.com', password: 'violet-otter-41-lantern', use: 'tokens', audience: API }
    const own = requireStatus(await http.post<TokenAnswer>('/api/sign-up', { ...asked, scope: 'account notes:write' }), 201).json

    await server.restart({ SCOPES: 'notes:read' })
    const narrowed = await next(client, tokenOf(granted))
    expect([narrowed.scope, claimsOf(narrowed.access_token).aud]).toEqual(['openid offline_access notes:read', API])
    const ownNarrowed = requireStatus(await refresh(http, tokenOf(own)), 200).json
    expect(claimsOf(ownNarrowed.access_token)).toMatchObject({ scope: 'account', aud: API })

    await server.restart({ AUDIENCES: '' })
    const refused = await refreshAs(http, client, tokenOf(narrowed))
    expect([refused.status, refused.json.error]).toEqual([400, 'invalid_target'])
    const other = await next(client, tokenOf(narrowed), { resource: server.origin })
    expect(claimsOf(other.access_token).aud).toBe(server.origin)
    expect(codeOf(await refresh(http, ownNarrowed.refresh_token))).toBe('invalid_grant')

    await server.restart()
    expect(await next(client, tokenOf(other))).toMatchObject({ scope: SCOPE })
    const restored = requireStatus(await refresh(http, ownNarrowed.refresh_token), 200).json
    expect(claimsOf(restored.access_token)).toMatchObject({ scope: 'account notes:write', aud: API })
  })
})
