import { expect, test } from 'vitest'
import { BUILT_IN_CLIENTS } from '../../src/clients/built-in.ts'
import { readClientMetadata } from '../../src/clients/metadata.ts'

const RULES = {
  development: false,
  issuer: 'https://auth.example.com',
  signingAlg: 'ES256',
  source: 'configuration',
  mayBeLegacy: false,
} as const

test('the clients that are always there are what anybody could configure, and hold no secret', () => {
  expect([...BUILT_IN_CLIENTS.keys()]).toEqual(['sallyport-cli'])
  for (const [client_id, { client, secrets }] of BUILT_IN_CLIENTS) {
    expect(readClientMetadata(client_id, client, RULES)).toEqual({ ok: true, client })
    expect(secrets).toEqual([])
  }
})

test('the command gets tokens by the device flow only, and for nobody but a person', () => {
  expect(BUILT_IN_CLIENTS.get('sallyport-cli')?.client).toMatchObject({
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    redirect_uris: [],
    serves: [],
    legacy_oidc: false,
  })
})
