import { auth } from '@modelcontextprotocol/sdk/client/auth.js'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type DocumentServer, startDocumentServer } from '../support/node/document-server.ts'
import type { Client } from '../support/node/http.ts'
import { codeFromBrowser, MCP_CALLBACK, mcpProvider, type Remembered } from '../support/node/mcp-client.ts'
import {
  authorizationQuery,
  codeFor,
  interactionIn,
  locationOf,
  type OAuthProblem,
  pkce,
  postAs,
  type Registered,
  redeem,
  refreshAs,
} from '../support/node/oauth.ts'
import { app, browser, claimsOf, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// Clients whose client_id is the address of a document about them (Client ID Metadata Documents). Nobody registers them.
let documents: DocumentServer
let server: Server
let http: Client
let person: Client
beforeAll(async () => {
  documents = await startDocumentServer()
  server = await startServer({ vars: { AUDIENCES: `${documents.origin}/mcp`, SCOPES: 'notes:read' } })
  ;[http, person] = [app(server.origin), browser(server.origin)]
  await signUp(person, 'documents@example.com')
})
afterAll(async () => {
  for (const client of [http, person]) client.close()
  await server.stop()
  await documents.stop()
})
beforeEach(() => {
  documents.asked.length = 0
})

let made = 0

/** A client as its document describes it, at an address of its own. */
function published(changes: object = {}) {
  made += 1
  const path = `/apps/${made}.json`
  const client_id = `${documents.origin}${path}`
  const redirect_uri = `${documents.origin}/callback`
  documents.documents.set(path, { client_id, client_name: 'A writing desk', redirect_uris: [redirect_uri], ...changes })
  const client: Registered = { client_id, token_endpoint_auth_method: 'none', registration_access_token: '', registration_client_uri: '' }
  return { client, path, redirect_uri }
}

const ask = (client: Registered, redirect_uri: string, changes = {}, by = person) =>
  by.get(`/oauth/authorize?${authorizationQuery(client, pkce().code_challenge, { redirect_uri, ...changes })}`)

describe('a client that a document describes', () => {
  test('has its tokens, and its document is read once', async () => {
    const { client, redirect_uri } = published()
    const scope = 'openid offline_access'
    const tokens = (await redeem(http, client, await codeFor(person, client, { redirect_uri, scope }))).json
    expect(claimsOf(tokens.access_token)).toMatchObject({ client_id: client.client_id })
    expect(claimsOf(tokens.id_token ?? '').aud).toBe(client.client_id)
    expect((await refreshAs(http, client, tokens.refresh_token ?? '')).status).toBe(200)
    expect(documents.asked).toEqual([client.client_id])
  })

  test('is shown to the person by its host, which is all that is known of it', async () => {
    const { client, redirect_uri } = published({ client_name: 'Your bank' })
    const page = await ask(client, redirect_uri)
    expect(interactionIn(page)).not.toBe('')
    expect(page.text).toContain(new URL(documents.origin).host)
    expect(page.text).toContain('Not verified by the operator.')
    const { pathname, search } = locationOf(await ask(client, redirect_uri, {}, http))
    const signIn = await http.get(pathname + search)
    for (const words of [new URL(documents.origin).host, 'An app that calls itself', 'Not verified by the operator.'])
      expect(signIn.text).toContain(words)
  })

  test('is sent back to addresses of its document only', async () => {
    const { client } = published()
    for (const redirect_uri of [`${documents.origin}/other`, `${documents.origin}/callback/`, 'https://evil.example/callback']) {
      const reply = await ask(client, redirect_uri)
      expect([reply.status, reply.headers.location]).toEqual([400, undefined])
    }
  })

  test('has no machine tokens, and no secret', async () => {
    const { client } = published({ grant_types: ['authorization_code', 'client_credentials'] })
    const machine = await postAs<OAuthProblem>(http, '/oauth/token', client, { grant_type: 'client_credentials' })
    expect(machine.json.error).toBe('unauthorized_client')
    const basic = { ...client, token_endpoint_auth_method: 'client_secret_basic', client_secret: 'x' }
    expect((await postAs<OAuthProblem>(http, '/oauth/token', basic, { grant_type: 'refresh_token' })).json.error).toBe('invalid_client')
  })

  test.each([
    ['names another client_id', { client_id: 'https://somebody-else.example/app.json' }],
    ['names none', { client_id: undefined }],
    ['holds a secret', { client_secret: 'x' }],
    ['wants a secret', { token_endpoint_auth_method: 'client_secret_basic' }],
    ['sends people to another host', { redirect_uris: ['https://evil.example/callback'] }],
    ['has no address to send people to', { redirect_uris: [] }],
    ['is too large', { padding: 'x'.repeat(70_000) }],
  ])('is unknown while its document %s', async (_, changes) => {
    const { client, redirect_uri } = published(changes)
    const reply = await ask(client, redirect_uri)
    expect([reply.status, reply.headers.location]).toEqual([400, undefined])
    expect(documents.asked).toEqual([client.client_id])
  })

  test('is unknown when there is no document, or nobody there', async () => {
    const { client, path, redirect_uri } = published()
    documents.documents.delete(path)
    expect((await ask(client, redirect_uri)).status).toBe(400)
    expect((await ask({ ...client, client_id: 'http://localhost:1/app.json' }, redirect_uri)).status).toBe(400)
  })
})

describe('a client that proves itself by the keys of its document', () => {
  const assertionOf = async (client_id: string, key: CryptoKey) =>
    new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(client_id)
      .setSubject(client_id)
      .setAudience(server.origin)
      .setExpirationTime('1m')
      .sign(key)

  test.each(['by value', 'by reference'])('has tokens for its own assertion alone, keys %s', async (how) => {
    const [own, other] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')]
    const jwks = { keys: [await exportJWK(own.publicKey)] }
    documents.documents.set('/keys.json', jwks)
    const { client, redirect_uri } = published({
      token_endpoint_auth_method: 'private_key_jwt',
      ...(how === 'by value' ? { jwks } : { jwks_uri: `${documents.origin}/keys.json` }),
    })
    const good = await codeFor(person, client, { redirect_uri })
    const present = async (proof: Record<string, string>) =>
      http.post<OAuthProblem>('/oauth/token', new URLSearchParams({ grant_type: 'authorization_code', ...good, ...proof }))
    const assertedBy = async (key: CryptoKey) => ({
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await assertionOf(client.client_id, key),
    })
    expect((await present({ client_id: client.client_id })).json.error).toBe('invalid_client')
    expect((await present(await assertedBy(other.privateKey))).json.error).toBe('invalid_client')
    expect((await present(await assertedBy(own.privateKey))).status).toBe(200)
  })
})

describe('a document that changes', () => {
  test('counts once what was read of it is gone: other addresses, and the person is asked again', async () => {
    const { client, path, redirect_uri } = published()
    await codeFor(person, client, { redirect_uri })
    const moved = `${documents.origin}/moved`
    documents.documents.set(path, { client_id: client.client_id, redirect_uris: [moved] })
    expect(locationOf(await ask(client, redirect_uri)).searchParams.has('code')).toBe(true)
    await server.restart()
    expect((await ask(client, redirect_uri)).status).toBe(400)
    expect(interactionIn(await ask(client, moved))).not.toBe('')
  })

  test('that is gone ends the client, also for a code and a refresh token that it already has', async () => {
    const { client, path, redirect_uri } = published()
    const { refresh_token = '' } = (
      await redeem(http, client, await codeFor(person, client, { redirect_uri, scope: 'openid offline_access' }))
    ).json
    const code = await codeFor(person, client, { redirect_uri })
    documents.documents.delete(path)
    const kept = await refreshAs(http, client, refresh_token)
    expect(kept.status).toBe(200)
    await server.restart()
    expect((await ask(client, redirect_uri)).status).toBe(400)
    expect((await redeem(http, client, code)).json.error).toBe('invalid_client')
    expect((await refreshAs(http, client, kept.json.refresh_token ?? '')).json.error).toBe('invalid_client')
  })
})

// The SDK takes nothing but https for an address of a document: here the network that the Worker sees is the test's.
test("the MCP SDK's clientMetadataUrl leads an MCP client to its tokens without registration", async () => {
  const resource = `${documents.origin}/mcp`
  const url = 'https://desk.example.com/client.json'
  const outside = await startServer({ vars: { AUDIENCES: resource, SCOPES: 'notes:read' }, outbound: documents.origin })
  const [own, remembered]: [Client, Remembered] = [browser(outside.origin), {}]
  try {
    documents.documents.set('/client.json', { client_id: url, client_name: 'A writing desk', redirect_uris: [MCP_CALLBACK] })
    documents.documents.set('/.well-known/oauth-protected-resource/mcp', { resource, authorization_servers: [outside.origin] })
    await signUp(own, 'desk@example.com')
    const provider = mcpProvider(remembered, url)
    expect(await auth(provider, { serverUrl: resource, scope: 'notes:read offline_access' })).toBe('REDIRECT')
    expect(remembered.information?.client_id).toBe(url)
    expect((await own.get(`/oauth/authorize${remembered.sentTo?.search}`)).text).toContain('desk.example.com')
    expect(documents.asked.filter((address) => address.endsWith('/client.json'))).toEqual([url])
    const authorizationCode = await codeFromBrowser(own, remembered)
    expect(await auth(provider, { serverUrl: resource, authorizationCode })).toBe('AUTHORIZED')
    const first = remembered.tokens?.access_token ?? ''
    expect(claimsOf(first)).toMatchObject({ aud: resource, client_id: url, scope: 'notes:read offline_access' })
    expect(await auth(provider, { serverUrl: resource })).toBe('AUTHORIZED')
    expect(remembered.tokens?.access_token).not.toBe(first)
  } finally {
    own.close()
    await outside.stop()
  }
})

describe('an error that nobody had a hand in', () => {
  test.each([
    ['prompt=none', { prompt: 'none' }],
    ['a scope that is none', { scope: 'nonsense' }],
    ['the same as a form', { scope: 'nonsense', response_mode: 'form_post' }],
  ])('takes nobody to a site that only a document names, before they say so: %s', async (_, changes) => {
    const { client, redirect_uri } = published()
    const page = await ask(client, redirect_uri, changes)
    expect([page.status, page.headers.location]).toEqual([200, undefined])
    expect(page.text).toContain(redirect_uri)
    expect(page.text).not.toContain('<script')
  })

  test('but what the person decides is told at once', async () => {
    const { client, redirect_uri } = published()
    const page = await ask(client, redirect_uri)
    const form = new URLSearchParams({ interaction: interactionIn(page), decision: 'deny' })
    const back = locationOf(await person.post('/consent', form, { origin: server.origin }))
    expect([back.origin + back.pathname, back.searchParams.get('error')]).toEqual([redirect_uri, 'access_denied'])
  })
})
