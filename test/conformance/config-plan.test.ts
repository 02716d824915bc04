import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { app } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { LISTS, type Metadata, readMetadata } from './issuer-metadata.ts'

const ISSUER = 'https://auth.example.com'
const PRODUCTION = { SALLYPORT_ENV: 'production', ISSUER, LAB: '' }
const INITIAL_ACCESS_TOKEN = 'test-only-initial-access-token-that-is-long'

let server: Server
let http: Client
let metadata: Metadata
beforeAll(async () => {
  server = await startServer({ vars: { ...PRODUCTION, INITIAL_ACCESS_TOKEN } })
  http = app(server.origin)
  metadata = await readMetadata(http)
})
afterAll(async () => {
  http.close()
  await server.stop()
})

const endpoints = () => Object.entries(metadata).filter(([name]) => name.endsWith('_endpoint') || name.endsWith('_uri'))

describe('oidcc-config-certification-test-plan', () => {
  test('oidcc-discovery-endpoint-verification', async () => {
    expect(metadata.issuer).toBe(ISSUER)
    for (const [name, value] of endpoints()) {
      const url = new URL(String(value))
      expect([name, url.origin, url.search, url.hash]).toEqual([name, ISSUER, '', ''])
    }
    expect(endpoints().map(([name]) => name)).toEqual(
      expect.arrayContaining(['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri', 'registration_endpoint']),
    )
    // RFC 8414, 2: lists are lists of strings, and an empty one is left out.
    for (const name of LISTS)
      expect([name, metadata[name]]).toEqual([name, expect.arrayContaining([expect.stringMatching(/^[\x21-\x7e]+$/)])])
    expect(metadata.response_types_supported).toContain('code')
    expect(metadata.subject_types_supported).toEqual(['public'])
    expect(metadata.id_token_signing_alg_values_supported).toContain('RS256')
    expect(metadata.grant_types_supported).toContain('authorization_code')
    expect(metadata.scopes_supported).toContain('openid')
    expect(metadata.scopes_supported.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))).toBe(true)
    expect(metadata.claims_supported).toEqual(expect.arrayContaining(['sub', 'iss', 'auth_time', 'acr']))
    expect(metadata.code_challenge_methods_supported).toEqual(['S256'])
    for (const flag of ['request_parameter_supported', 'request_uri_parameter_supported', 'claims_parameter_supported']) {
      expect([flag, metadata[flag]]).toEqual([flag, false])
    }
    const { keys } = (await http.get<{ keys: Record<string, string>[] }>(new URL(String(metadata.jwks_uri)).pathname)).json
    for (const alg of metadata.id_token_signing_alg_values_supported) expect(keys.map((key) => key.alg)).toContain(alg)
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(keys.length)
    for (const key of keys) {
      expect([key.use, 'd' in key, 'k' in key, /^[\w-]+$/.test(key.kid ?? '')]).toEqual(['sig', false, false, true])
      if (key.kty === 'RSA') expect(Buffer.from(key.n ?? '', 'base64url').length).toBeGreaterThanOrEqual(256)
    }
  })
})

describe('a deployment without registration', () => {
  test('does not list it, and has no such route', async () => {
    const closed = await startServer({ vars: PRODUCTION })
    const stranger = app(closed.origin)
    expect(await readMetadata(stranger)).not.toHaveProperty('registration_endpoint')
    expect((await stranger.post('/oauth/register', { redirect_uris: ['https://app.example.com/callback'] })).status).toBe(404)
    stranger.close()
    await closed.stop()
  })
})
