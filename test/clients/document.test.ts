import { describe, expect, test } from 'vitest'
import { isDocumentUrl, readClientDocument } from '../../src/clients/document.ts'

const PRODUCTION = { development: false, issuer: 'https://auth.example.com', signingAlg: 'ES256' } as const
const DEVELOPMENT = { ...PRODUCTION, development: true, issuer: 'http://localhost:8787' }
const ID = 'https://app.example.com/oauth/client.json'
const DOCUMENT = { client_id: ID, client_name: 'App', redirect_uris: ['https://app.example.com/callback', 'http://127.0.0.1/cb'] }
const read = (document: Record<string, unknown>, id = ID) => readClientDocument(id, document, PRODUCTION)

describe('the URL of a client metadata document', () => {
  test.each([ID, 'https://app.example.com/client', 'https://app.example.com/c?v=1.2', 'https://app.example.com/c/'])('may be %s', (url) => {
    expect(isDocumentUrl(url, PRODUCTION)).toBe(true)
  })

  test.each([
    'https://app.example.com',
    'https://app.example.com/',
    'https://app.example.com/?x=1',
    'http://app.example.com/client.json',
    'https://app.example.com/client.json#x',
    'https://user@app.example.com/client.json',
    'https://app.example.com/a/../client.json',
    'https://app.example.com/a/./client.json',
    'https://app.example.com/a/%2e%2e/client.json',
    'https://app.example.com:443/client.json',
    'https://app.example.com:8443/client.json',
    'https://APP.example.com/client.json',
    'https://app.example.com/client.json?u=https://x/',
    'https://app.example.com/c?x=%00',
    'https://app.example.com/client json',
    `https://app.example.com/${'a'.repeat(600)}`,
    'https://10.0.0.1/client.json',
    'https://localhost/client.json',
    'http://localhost:3000/client.json',
    'https://auth.example.com/oauth/authorize',
    'web-shop',
    'javascript:alert(1)',
    'urn:x:y',
  ])('may not be %s', (url) => {
    expect(isDocumentUrl(url, PRODUCTION)).toBe(false)
  })

  test('in development may be http on loopback, but not ourselves', () => {
    expect(isDocumentUrl('http://localhost:3000/client.json', DEVELOPMENT)).toBe(true)
    expect(isDocumentUrl('http://[::1]:3000/client.json', DEVELOPMENT)).toBe(true)
    expect(isDocumentUrl('http://127.0.0.1:8787/client.json', DEVELOPMENT)).toBe(false)
    expect(isDocumentUrl('http://10.0.0.1:3000/client.json', DEVELOPMENT)).toBe(false)
    expect(isDocumentUrl('https://localhost:3000/client.json', DEVELOPMENT)).toBe(false)
  })
})

describe('a client metadata document', () => {
  test('describes a public client', () => {
    expect(read(DOCUMENT)).toMatchObject({
      ok: true,
      client: { client_id: ID, source: 'document', token_endpoint_auth_method: 'none', client_name: 'App', legacy_oidc: false, serves: [] },
    })
  })

  test('is written for every server: what we do not give is left out', () => {
    const grant_types = [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'implicit',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ]
    const answer = read({
      ...DOCUMENT,
      grant_types,
      response_types: ['code', 'token'],
      legacy_oidc: true,
      serves: ['https://auth.example.com'],
    })
    expect(answer).toMatchObject({
      ok: true,
      client: { grant_types: ['authorization_code', 'refresh_token'], legacy_oidc: false, serves: [] },
    })
  })

  test.each<[string, Record<string, unknown>]>([
    ['names nobody', { redirect_uris: DOCUMENT.redirect_uris }],
    ['names another', { ...DOCUMENT, client_id: 'https://app.example.com/other.json' }],
    ['names it in another spelling', { ...DOCUMENT, client_id: 'https://APP.example.com/oauth/client.json' }],
    ['names it in a list', { ...DOCUMENT, client_id: [ID] }],
    ['holds a secret', { ...DOCUMENT, client_secret: 'x' }],
    ['holds the end of a secret', { ...DOCUMENT, client_secret_expires_at: 0 }],
    ['proves itself by a secret', { ...DOCUMENT, token_endpoint_auth_method: 'client_secret_basic' }],
    ['proves itself by a secret in the body', { ...DOCUMENT, token_endpoint_auth_method: 'client_secret_post' }],
    ['proves itself by a key that it does not give', { ...DOCUMENT, token_endpoint_auth_method: 'private_key_jwt' }],
    ['takes no code', { ...DOCUMENT, grant_types: ['client_credentials'] }],
    ['answers no code', { ...DOCUMENT, response_types: ['token'] }],
    ['redirects nowhere', { ...DOCUMENT, redirect_uris: [] }],
    ['redirects elsewhere', { ...DOCUMENT, redirect_uris: ['https://evil.example/cb'] }],
    ['redirects to another port', { ...DOCUMENT, redirect_uris: ['https://app.example.com:8443/cb'] }],
    ['redirects to a domain below', { ...DOCUMENT, redirect_uris: ['https://x.app.example.com/cb'] }],
    ['redirects to an app', { ...DOCUMENT, application_type: 'native', redirect_uris: ['com.example.app:/cb'] }],
    ['signs people out to elsewhere', { ...DOCUMENT, post_logout_redirect_uris: ['https://evil.example/out'] }],
    ['has others told of its logouts', { ...DOCUMENT, backchannel_logout_uri: 'https://victim.example/logout' }],
    ['has keys inside', { ...DOCUMENT, jwks_uri: 'https://10.0.0.1/jwks' }],
  ])('is refused when it %s', (_, document) => {
    expect(read(document)).toMatchObject({ ok: false })
  })
})
