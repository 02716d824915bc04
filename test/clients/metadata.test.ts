import { describe, expect, test } from 'vitest'
import { type MetadataRules, readClientMetadata } from '../../src/clients/metadata.ts'

const RULES: MetadataRules = {
  source: 'registration',
  development: false,
  issuer: 'https://auth.example.com',
  signingAlg: 'ES256',
  mayBeLegacy: true,
}
const WEB = { redirect_uris: ['https://shop.example.com/callback'] }
const EC = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  kid: 'one',
}
const keys = (...list: object[]) => ({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: list } })

const readAs = (rules: Partial<MetadataRules>, metadata: unknown) => readClientMetadata('id', metadata, { ...RULES, ...rules })
const read = (metadata: unknown) => readAs({}, metadata)
function clientOf(metadata: unknown, rules: Partial<MetadataRules> = {}) {
  const answer = readAs(rules, metadata)
  if (!answer.ok) throw new Error(answer.description)
  return answer.client
}

describe('client metadata', () => {
  test('gets every default once', () => {
    expect(clientOf(WEB)).toEqual({
      client_id: 'id',
      client_name: null,
      client_uri: null,
      logo_uri: null,
      policy_uri: null,
      tos_uri: null,
      application_type: 'web',
      redirect_uris: ['https://shop.example.com/callback'],
      post_logout_redirect_uris: [],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
      token_endpoint_auth_signing_alg: null,
      jwks: null,
      jwks_uri: null,
      scope: null,
      id_token_signed_response_alg: 'RS256',
      default_max_age: null,
      require_auth_time: false,
      backchannel_logout_uri: null,
      backchannel_logout_session_required: false,
      dpop_bound_access_tokens: false,
      require_pushed_authorization_requests: false,
      serves: [],
      legacy_oidc: false,
      source: 'registration',
    })
  })

  test('ignores what it does not know, and takes null for absent', () => {
    const strange = {
      contacts: [{}],
      software_statement: 7,
      serves: ['https://auth.example.com'],
      source: 'configuration',
      client_id: 'mine',
    }
    expect(clientOf({ ...WEB, ...strange, client_name: null, jwks: null, scope: null, grant_types: null })).toEqual(clientOf(WEB))
  })

  test.each<[string, object]>([
    ['a machine without redirects', { grant_types: ['client_credentials'] }],
    ['a device without redirects', { grant_types: ['urn:ietf:params:oauth:grant-type:device_code'], token_endpoint_auth_method: 'none' }],
    ['loopback redirects, on a port too', { redirect_uris: ['http://127.0.0.1:4711/cb', 'http://[::1]/cb', 'http://localhost:3000/cb'] }],
    ['a private-use scheme, for a native client', { redirect_uris: ['com.example.app:/callback'], application_type: 'native' }],
    ['a redirect with a query', { redirect_uris: ['https://shop.example.com/callback?tenant=a%20b'] }],
    ['a redirect without a path', { redirect_uris: ['https://shop.example.com'] }],
    ['post', { ...WEB, token_endpoint_auth_method: 'client_secret_post' }],
    ['no authentication', { ...WEB, token_endpoint_auth_method: 'none' }],
    ['a key', { ...WEB, ...keys(EC) }],
    ['a key beside one of another use', { ...WEB, ...keys(EC, { ...EC, kid: 'two', use: 'enc' }) }],
    ['an address of keys', { ...WEB, token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://shop.example.com/jwks' }],
    ['ID tokens by the algorithm of the deployment', { ...WEB, id_token_signed_response_alg: 'ES256' }],
    ['response_types that say what grant_types say', { ...WEB, response_types: ['code'] }],
    ['names in any script', { ...WEB, client_name: 'Żółw 🐢 商店 متجر فروشگاه‌ها' }],
  ])('takes %s', (_, metadata) => {
    expect(read(metadata)).toMatchObject({ ok: true })
  })

  test.each<[string, object]>([
    ['none at all', {}],
    ['an empty list', { redirect_uris: [] }],
    ['no list', { redirect_uris: 'https://shop.example.com/callback' }],
    ['no string', { redirect_uris: [7] }],
    ['33 of them', { redirect_uris: Array.from({ length: 33 }, (_, n) => `https://shop.example.com/${n}`) }],
    ['a long one', { redirect_uris: [`https://shop.example.com/${'a'.repeat(2048)}`] }],
    ['a private-use scheme for a web client', { redirect_uris: ['com.example.app:/callback'] }],
    ...[
      'http://shop.example.com/callback',
      'http://127.0.0.2/cb',
      'http://localhost.example.com/cb',
      'http://localhost./cb',
      'http://2130706433/cb',
      'http://127.1/cb',
      'https://shop.example.com/callback#x',
      'https://shop.example.com/callback#',
      'https://user@shop.example.com/callback',
      'https://user:pass@shop.example.com/callback',
      'https://@shop.example.com/callback',
      'https:shop.example.com/callback',
      'https:/shop.example.com/callback',
      'https:\\\\shop.example.com\\callback',
      'https://shop.example.com/a/../callback',
      'https://shop.example.com/a/%2e%2e/callback',
      'https://SHOP.example.com/callback',
      'HTTPS://shop.example.com/callback',
      'https://shop.example.com:443/callback',
      'https://shop.example.com/call back',
      ' https://shop.example.com/callback',
      'https://shop.example.com/callback\n',
      'https://shop.example.com/\u0000callback',
      'https://shöp.example.com/callback',
      'https://shop.example.com/%zz',
      '/callback',
      '//shop.example.com/callback',
      'shop.example.com/callback',
      '*',
      'https://*.example.com/callback',
      'https://',
    ].map((uri): [string, object] => [JSON.stringify(uri), { redirect_uris: [uri] }]),
  ])('refuses as redirect URIs: %s', (_, metadata) => {
    expect(read(metadata)).toMatchObject({ ok: false })
  })

  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://a.example/x',
    'about:blank',
    'intent://x#Intent;end',
    'myapp:/callback',
    'ws://shop.example.com/',
    'ftp://shop.example.com/',
    'urn:ietf:wg:oauth:2.0:oob',
    'com.example.app:',
    'com.example.app:/cb#x',
    'com.example.app://user@host/cb',
    '.app:/cb',
    'com..app:/cb',
    'Com.Example.App:/cb',
  ])('refuses the scheme of %j, for a native client too', (uri) => {
    expect(read({ redirect_uris: [uri], application_type: 'native' })).toMatchObject({ ok: false, error: 'invalid_redirect_uri' })
  })

  test.each<[string, object]>([
    ['grant_types', { grant_types: ['implicit'] }],
    ['grant_types', { grant_types: ['password'] }],
    ['grant_types', { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] }],
    ['grant_types', { grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' }],
    ['response_types', { ...WEB, response_types: ['token'] }],
    ['response_types', { ...WEB, response_types: ['code', 'code id_token'] }],
    ['response_types', { ...WEB, response_types: [] }],
    ['response_types', { grant_types: ['client_credentials'], response_types: ['code'] }],
    ['token_endpoint_auth_method', { ...WEB, token_endpoint_auth_method: 'client_secret_jwt' }],
    ['token_endpoint_auth_method', { ...WEB, token_endpoint_auth_method: 'constructor' }],
    ['jwks', { ...WEB, ...keys() }],
    ['jwks', { ...WEB, token_endpoint_auth_method: 'private_key_jwt' }],
    ['jwks', { ...WEB, ...keys(EC), jwks_uri: 'https://shop.example.com/jwks' }],
    ['jwks', { ...WEB, ...keys({ ...EC, d: 'AAAA' }) }],
    ['jwks', { ...WEB, jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    ['jwks', { ...WEB, ...keys({ kty: 'RSA', n: 'AQAB', e: 'AQAB' }) }],
    ['jwks', { ...WEB, ...keys({ ...EC, x: 'AAAA' }) }],
    ['jwks', { ...WEB, ...keys({ ...EC, crv: 'P-384' }) }],
    ['jwks', { ...WEB, ...keys({ ...EC, alg: 'HS256' }) }],
    ['jwks', { ...WEB, ...keys(EC, EC) }],
    ['jwks', { ...WEB, ...keys(...Array.from({ length: 17 }, () => EC)) }],
    ['jwks', { ...WEB, jwks: { keys: 'x' } }],
    ['jwks', { ...WEB, jwks: [] }],
    ['jwks_uri', { ...WEB, jwks_uri: 'http://shop.example.com/jwks' }],
    ['jwks_uri', { ...WEB, jwks_uri: 'https://10.0.0.1/jwks' }],
    ['jwks_uri', { ...WEB, jwks_uri: 'https://auth.example.com/.well-known/jwks.json' }],
    ['backchannel_logout_uri', { ...WEB, backchannel_logout_uri: 'http://127.0.0.1:9/logout' }],
    ['post_logout_redirect_uris', { ...WEB, post_logout_redirect_uris: ['https://localhost/out'] }],
    ['post_logout_redirect_uris', { ...WEB, post_logout_redirect_uris: ['https://shop.example.com/out#x'] }],
    ['client_uri', { ...WEB, client_uri: 'javascript:alert(1)' }],
    ['logo_uri', { ...WEB, logo_uri: 'http://shop.example.com/logo.png' }],
    ['tos_uri', { ...WEB, tos_uri: 'data:text/html,x' }],
    ['policy_uri', { ...WEB, policy_uri: 'http://localhost/x' }],
    ['scope', { ...WEB, scope: 'a  b' }],
    ['scope', { ...WEB, scope: 'a"b' }],
    ['subject_type', { ...WEB, subject_type: 'pairwise' }],
    ['id_token_signed_response_alg', { ...WEB, id_token_signed_response_alg: 'none' }],
    ['id_token_signed_response_alg', { ...WEB, id_token_signed_response_alg: 'HS256' }],
    ['token_endpoint_auth_signing_alg', { ...WEB, ...keys(EC), token_endpoint_auth_signing_alg: 'none' }],
    ['default_max_age', { ...WEB, default_max_age: -1 }],
    ['default_max_age', { ...WEB, default_max_age: 1.5 }],
    ['default_max_age', { ...WEB, default_max_age: '60' }],
    ['require_auth_time', { ...WEB, require_auth_time: 'yes' }],
    ['application_type', { ...WEB, application_type: 'desktop' }],
    ['legacy_oidc', { ...WEB, token_endpoint_auth_method: 'none', legacy_oidc: true }],
    ['client_name', { ...WEB, client_name: '' }],
    ['client_name', { ...WEB, client_name: ' ' }],
    ['client_name', { ...WEB, client_name: 'a'.repeat(101) }],
    ['client_name', { ...WEB, client_name: 'Shop\u202Eknab' }],
    ['client_name', { ...WEB, client_name: 'Shop\u2066x' }],
    ['client_name', { ...WEB, client_name: 'Shop\u200Bx' }],
    ['client_name', { ...WEB, client_name: 'Shop\nBank' }],
    ['client_name', { ...WEB, client_name: 'Shop\u2028Bank' }],
    ['client_name', { ...WEB, client_name: 'Shop\ud800' }],
  ])('refuses a wrong %s: %j, by its name', (member, metadata) => {
    const answer = read(metadata)
    expect(answer).toMatchObject({ ok: false, error: 'invalid_client_metadata' })
    if (!answer.ok) expect(answer.description.startsWith(`${member} `)).toBe(true)
  })

  test.each([[null], ['x'], [7], [[]], [undefined]])('refuses %j, which is no object', (metadata) => {
    expect(read(metadata)).toMatchObject({ ok: false })
  })

  test('keeps of a key its checked public members only', () => {
    const { jwks } = clientOf({ ...WEB, ...keys({ ...EC, x5u: 'https://evil.example', deep: [[[]]] }) })
    expect(jwks).toEqual({ keys: [{ ...EC, use: 'sig' }] })
  })

  test('loopback addresses are for development', () => {
    const local = {
      redirect_uris: ['http://localhost:3000/cb'],
      jwks_uri: 'http://localhost:3000/jwks',
      backchannel_logout_uri: 'http://127.0.0.1:3000/logout',
      post_logout_redirect_uris: ['http://localhost:3000/out'],
      logo_uri: 'http://localhost:3000/logo.png',
    }
    expect(readAs({ development: true, issuer: 'http://localhost:8787' }, local)).toMatchObject({ ok: true })
    expect(read(local)).toMatchObject({ ok: false })
    const own = { ...WEB, jwks_uri: 'http://127.0.0.1:8787/jwks' }
    expect(readAs({ development: true, issuer: 'http://localhost:8787' }, own)).toMatchObject({ ok: false })
  })

  test('who may be given what: token exchange by configuration only, legacy_oidc where it is listened to', () => {
    const exchange = { grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'] }
    expect(readAs({ source: 'configuration' }, exchange)).toMatchObject({ ok: true })
    expect(clientOf({ ...WEB, legacy_oidc: true }).legacy_oidc).toBe(true)
    expect(clientOf({ ...WEB, legacy_oidc: true }, { mayBeLegacy: false }).legacy_oidc).toBe(false)
  })
})
