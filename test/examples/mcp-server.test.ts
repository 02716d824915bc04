import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { knownOrigin } from '../../examples/mcp-server/origin.ts'
import { type DocumentServer, startDocumentServer } from '../support/node/document-server.ts'
import { type Example, startExample } from '../support/node/example.ts'
import { type Client, createClient } from '../support/node/http.ts'
import { connected, MCP_CALLBACK, type Remembered } from '../support/node/mcp-client.ts'
import { interactionIn } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, requireStatus, signUp, signUpForTokens } from '../support/node/person.ts'

let example: Example
let documents: DocumentServer
let sallyport: Client
let mcp: Client
beforeAll(async () => {
  ;[example, documents] = await Promise.all([startExample('mcp-server'), startDocumentServer()])
  sallyport = app(example.sallyport)
  mcp = createClient(example.mcpServer)
})
afterAll(async () => {
  sallyport.close()
  mcp.close()
  await documents.stop()
  expect(await example.stop()).toBe(0)
})

async function somebody(email: string) {
  const person = browser(example.sallyport)
  return { person, session: await signUp(person, email) }
}

let people = 0
async function signUpFor(audience: string, scope: string): Promise<{ access_token: string }> {
  const asked = { email: `token${++people}@example.com`, password: 'violet-otter-41-lantern', use: 'tokens', audience, scope }
  return requireStatus(await sallyport.post<{ access_token: string }>('/api/sign-up', asked), 201).json
}

const rpc = (method: string, params: object = {}) => ({ jsonrpc: '2.0', id: 1, method, params })
const callOf = (name: string, given: object = {}) => rpc('tools/call', { name, arguments: given })
const ask = (body: unknown, headers: Record<string, string> = {}) =>
  mcp.post('/mcp', JSON.stringify(body), {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  })

describe('whoever comes without a token', () => {
  test.each(['POST', 'GET', 'DELETE'])('is refused by %s, and told where to read on', async (method) => {
    const reply = await mcp.request(method, '/mcp', method === 'POST' ? rpc('initialize') : undefined)
    expect(reply.status).toBe(401)
    const metadata = `${new URL(example.mcpServer).origin}/.well-known/oauth-protected-resource/mcp`
    expect(reply.headers['www-authenticate']).toBe(`Bearer resource_metadata="${metadata}"`)
  })

  test('finds from there the issuer, and there all that the flow needs', async () => {
    const [here, atHost] = [
      await mcp.get('/.well-known/oauth-protected-resource/mcp'),
      await mcp.get('/.well-known/oauth-protected-resource'),
    ]
    expect(here.json).toEqual(atHost.json)
    expect(here.json).toMatchObject({
      resource: example.mcpServer,
      authorization_servers: [example.sallyport],
      scopes_supported: ['notes:read', 'notes:write'],
    })
    expect((await sallyport.get('/.well-known/oauth-authorization-server')).json).toMatchObject({
      issuer: example.sallyport,
      registration_endpoint: `${example.sallyport}/oauth/register`,
      client_id_metadata_document_supported: true,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    })
  })

  // The example allows no origin at all.
  test.each(['https://evil.example', 'null', 'http://localhost:8791'])('is no page of another site: Origin %j', async (origin) => {
    const { access_token } = await signUpFor(example.mcpServer, 'notes:read')
    for (const headers of [{ origin }, { origin, ...bearer(access_token) }]) {
      const reply = await ask(rpc('initialize'), headers)
      expect([reply.status, reply.json]).toEqual([403, expect.objectContaining({ jsonrpc: '2.0', id: null })])
    }
    expect((await mcp.get('/.well-known/oauth-protected-resource/mcp', { origin })).status).toBe(403)
  })
})

describe('a token', () => {
  test('for another audience is refused', async () => {
    const { access_token } = await signUpForTokens(sallyport, 'elsewhere@example.com')
    expect((await ask(rpc('tools/list'), bearer(access_token))).status).toBe(401)
  })

  test('opens the tools of its scopes; the others answer a challenge that names theirs', async () => {
    const token = bearer((await signUpFor(example.mcpServer, 'notes:read')).access_token)
    expect((await ask(callOf('list_notes'), token)).json).toMatchObject({ result: { content: [{ text: '[]' }] } })
    const refused = await ask(callOf('add_note', { text: 'no' }), token)
    expect(refused.status).toBe(403)
    expect(refused.headers['www-authenticate']).toContain('error="insufficient_scope", scope="notes:write"')
    expect((await ask([callOf('add_note', { text: 'no' })], token)).status).toBe(400)
    expect((await ask(callOf('list_notes'), token)).json).toMatchObject({ result: { content: [{ text: '[]' }] } })
  })
})

// workerd takes an empty Origin for none; whatever else stands before the handler may not.
test.each([
  ['', '', 403],
  [' , ', '', 403],
  ['', 'null', 403],
  ['https://desk.example', 'https://desk.example.evil.example', 403],
  ['https://a.example, https://desk.example', 'https://desk.example', 200],
  ['', undefined, 200],
])('with ALLOWED_ORIGINS %j a request with Origin %j gets %i', async (ALLOWED_ORIGINS, origin, status) => {
  const guarded = new Hono<{ Bindings: { ALLOWED_ORIGINS: string } }>().use(knownOrigin).get('/', (c) => c.text('in'))
  const headers = origin === undefined ? {} : { origin }
  expect((await guarded.request('/', { headers }, { ALLOWED_ORIGINS })).status).toBe(status)
})

describe('a message', () => {
  test('that is longer than any honest one is refused, whether or not it says how long it is', async () => {
    const { access_token } = await signUpFor(example.mcpServer, 'notes:write')
    const body = JSON.stringify(callOf('add_note', { text: 'x'.repeat(20_000) }))
    const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...bearer(access_token) }
    const streamed = { body: new Blob([body]).stream(), duplex: 'half' } as const
    for (const init of [{ body }, streamed]) {
      const reply = await fetch(example.mcpServer, { method: 'POST', headers, ...init })
      expect([reply.status, await reply.json()]).toEqual([413, expect.objectContaining({ jsonrpc: '2.0', error: expect.any(Object) })])
    }
    // Whoever is not known is not read.
    expect((await fetch(example.mcpServer, { method: 'POST', body })).status).toBe(401)
  })
})

// As the SDK's users do: the first registers itself, the second is described by a document at its own address.
describe.each(['dynamic registration', 'a client metadata document'])('the flow of the MCP specification with %s', (by) => {
  const name = by.includes('document') ? 'document' : 'registered'
  const client_id = () => `${documents.origin}/desk.json`
  function beginning(): Remembered {
    if (name === 'registered') return {}
    documents.documents.set('/desk.json', { client_id: client_id(), client_name: 'A writing desk', redirect_uris: [MCP_CALLBACK] })
    return { information: { client_id: client_id() } }
  }

  test('leads through sign-in and consent to the tools of the person', async () => {
    const email = `${name}@example.com`
    const session = await signUp(sallyport, email)
    const [person, remembered] = [browser(example.sallyport), beginning()]
    const desk = await connected(example.mcpServer, remembered, person, email)
    expect(await desk.tools()).toEqual(['whoami', 'list_notes', 'add_note'])
    const me = JSON.parse(await desk.call('whoami'))
    expect(me).toEqual({
      sub: session.sub,
      client_id: remembered.information?.client_id,
      scope: 'notes:read notes:write',
    })
    if (name === 'document') expect(me.client_id).toBe(client_id())
    expect(claimsOf(remembered.tokens?.access_token ?? '').aud).toBe(example.mcpServer)
    expect(await desk.call('add_note', { text: `from ${name}` })).toBe('kept')
    expect(JSON.parse(await desk.call('list_notes'))).toEqual([`from ${name}`])
    await desk.close()
    person.close()
  })

  test('shows the person whom it is about', async () => {
    const { person } = await somebody(`${name}-page@example.com`)
    const remembered = beginning()
    const desk = await connected(example.mcpServer, remembered, person)
    await desk.close()
    const page = await person.get(`/oauth/authorize${remembered.sentTo?.search}&prompt=consent`)
    expect(interactionIn(page)).not.toBe('')
    expect(page.text).toContain('A writing desk')
    expect(page.text).toContain('Not verified by the operator.')
    expect(page.text.includes(new URL(documents.origin).host)).toBe(name === 'document')
    person.close()
  })

  test('goes on by itself when the account has changed', async () => {
    const { person, session } = await somebody(`${name}-roles@example.com`)
    const remembered = beginning()
    const desk = await connected(example.mcpServer, remembered, person)
    const before = remembered.tokens?.access_token
    const operator = bearer(example.adminToken)
    expect((await sallyport.put(`/admin/api/accounts/${session.sub}/roles`, { roles: ['editor'] }, operator)).status).toBe(204)
    await expect
      .poll(async () => [JSON.parse(await desk.call('whoami')).sub, remembered.tokens?.access_token === before], { timeout: 10_000 })
      .toEqual([session.sub, false])
    await desk.close()
    person.close()
  })

  test('is over once its tokens are revoked, and asks the person again', async () => {
    const { person } = await somebody(`${name}-revoked@example.com`)
    const remembered = beginning()
    const desk = await connected(example.mcpServer, remembered, person)
    const form = { client_id: remembered.information?.client_id ?? '', token: remembered.tokens?.refresh_token ?? '' }
    expect((await sallyport.post('/oauth/revoke', new URLSearchParams(form))).status).toBe(200)
    const outcome = () =>
      desk.call('whoami').then(
        () => 'let in',
        (error: unknown) => (error instanceof UnauthorizedError ? 'sent to the person' : error),
      )
    await expect.poll(outcome, { timeout: 8_000 }).toBe('sent to the person')
    await desk.close()
    person.close()
  })
})
