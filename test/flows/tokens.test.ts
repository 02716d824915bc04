import { createLocalJWKSet, exportJWK, generateKeyPair, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/node/http.ts'
import {
  type AccessToken,
  app,
  bearer,
  browser,
  type Claims,
  claimsOf,
  codeOf,
  demo,
  FRESHNESSES,
  fromOwnPage,
  headerOf,
  hybridToken,
  PASSWORD,
  type Session,
  signUp,
  signUpForTokens,
  type Tokens,
} from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const API = 'https://api.example.com'
const ID = /^[\w-]{22}$/

let server: Server
let client: Client
let person: Client
let session: Session
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: `${API},https://other.example.com`, SCOPES: 'notes:read notes:write' } })
  client = app(server.origin)
  person = browser(server.origin)
  session = await signUp(person, 'ann@example.com')
})
afterAll(async () => {
  client.close()
  person.close()
  await server.stop()
})

const ask = (body: object = {}) => person.post<AccessToken>('/api/token', body, fromOwnPage(server))
const jwks = async () => (await client.get<JSONWebKeySet>('/.well-known/jwks.json')).json
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What RFC 9068 and jose, which shares no code of ours here, say of a token. */
const verified = async (token: string, audience = server.origin) =>
  await jwtVerify<Claims>(token, createLocalJWKSet(await jwks()), { issuer: server.origin, audience, typ: 'at+jwt', algorithms: ['ES256'] })

describe('POST /api/token (contract 12)', () => {
  test('answers an access token for the cookie, and no refresh token or cookie', async () => {
    const reply = await ask()
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 300, scope: 'account' })
    expect(reply.setCookies).toEqual([])
    expect(reply.headers['cache-control']).toBe('no-store')
  })

  test('takes no body at all, and an empty object', async () => {
    expect((await person.post('/api/token', undefined, fromOwnPage(server))).status).toBe(200)
    expect((await ask({})).status).toBe(200)
  })

  test('answers 401 without a session, and 400 for a cookie and a token at once', async () => {
    const nobody = await client.post('/api/token', {}, fromOwnPage(server))
    expect([nobody.status, codeOf(nobody)]).toEqual([401, 'no_session'])
    const token = await hybridToken(person, server)
    const both = await person.post('/api/token', {}, { ...fromOwnPage(server), ...bearer(token) })
    expect([both.status, codeOf(both)]).toEqual([400, 'two_credentials'])
  })

  test('makes a token for each audience that is configured, and for no other (invalid_target)', async () => {
    const { access_token } = (await ask({ audience: API })).json
    expect((await verified(access_token, API)).payload.aud).toBe(API)
    for (const audience of ['https://evil.example', `${API}/`, API.toUpperCase(), '', 'api']) {
      const reply = await ask({ audience })
      expect([reply.status, codeOf(reply)]).toEqual([400, 'invalid_target'])
    }
  })

  test('says the scopes asked for out of those configured, and no others (invalid_scope)', async () => {
    const asked = await ask({ audience: API, scope: 'notes:write notes:read' })
    expect(asked.json.scope).toBe('notes:write notes:read')
    expect(claimsOf(asked.json.access_token).scope).toBe('notes:write notes:read')
    for (const scope of ['admin', 'notes:read admin', 'NOTES:READ', 'notes:read  notes:write', ' notes:read', '']) {
      const reply = await ask({ scope })
      expect([scope, reply.status, codeOf(reply)]).toEqual([scope, 400, 'invalid_scope'])
    }
  })

  test('audience and scope are the same choices for those who sign in for tokens, and stay through refreshes', async () => {
    const body = { email: 'ann@example.com', password: PASSWORD, use: 'tokens', audience: API, scope: 'notes:read' }
    const first = (await client.post<Tokens>('/api/sign-in', body)).json
    const second = (await client.post<Tokens>('/api/refresh', { refresh_token: first.refresh_token })).json
    for (const { access_token, scope } of [first, second]) {
      expect([claimsOf(access_token).aud, claimsOf(access_token).scope, scope]).toEqual([API, 'notes:read', 'notes:read'])
    }
    expect(codeOf(await client.post('/api/sign-in', { ...body, audience: 'https://evil.example' }))).toBe('invalid_target')
    expect(codeOf(await client.post('/api/sign-in', { ...body, scope: 'admin' }))).toBe('invalid_scope')
  })
})

describe('an access token (contract 13)', () => {
  test('is an at+jwt of ES256 with exactly the claims promised, under 600 characters', async () => {
    const before = Math.floor(Date.now() / 1000)
    const token = await hybridToken(person, server)
    expect(token.length).toBeLessThan(600)
    expect(headerOf(token)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: expect.stringMatching(ID) })
    const { payload } = await verified(token)
    expect(payload).toEqual({
      iss: server.origin,
      sub: session.sub,
      aud: server.origin,
      exp: payload.iat + 300,
      iat: expect.any(Number),
      jti: expect.stringMatching(ID),
      client_id: 'first-party',
      scope: 'account',
      sid: session.sid,
      ver: 1,
      auth_time: session.auth_time,
      acr: session.acr,
      amr: ['pwd'],
      roles: [],
    })
    expect(Math.abs(payload.iat - before)).toBeLessThan(5)
  })

  test('is signed with a key of the published set, which holds public keys only', async () => {
    const { keys } = await jwks()
    const { kid } = headerOf(await hybridToken(person, server))
    expect(keys.find((key) => key.kid === kid)).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256' })
    for (const key of keys) {
      expect(key).toMatchObject({ use: 'sig', kid: expect.stringMatching(ID), alg: key.kty === 'RSA' ? 'RS256' : 'ES256' })
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(Object.keys(key)).not.toContain(secret)
    }
    expect((await client.get('/.well-known/jwks.json')).headers['access-control-allow-origin']).toBe('*')
  })

  test('has an id of its own each time', async () => {
    const tokens = await Promise.all(Array.from({ length: 10 }, () => hybridToken(person, server)))
    expect(new Set(tokens).size).toBe(10)
  })
})

describe('discovery (contract 2, 17)', () => {
  test.each(['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server'])(
    '%s holds absolute URLs of the origin served',
    async (path) => {
      const { json, headers } = await client.get<{ issuer: string; jwks_uri: string }>(path)
      expect(json).toMatchObject({ issuer: server.origin, jwks_uri: `${server.origin}/.well-known/jwks.json` })
      expect(headers['content-type']).toMatch(/^application\/json/)
      for (const [name, value] of Object.entries(json)) {
        if (name.endsWith('_endpoint') || name.endsWith('_uri')) expect((await client.get(String(value))).status).not.toBe(404)
      }
    },
  )
})

describe('a demonstration route (contract 14)', () => {
  test('answers sub and sid for a good token, and the cookie route for the cookie', async () => {
    const token = await hybridToken(person, server)
    const who = { sub: session.sub, sid: session.sid }
    for (const freshness of FRESHNESSES) expect((await demo(client, freshness, token)).json).toEqual(who)
    expect((await person.get('/api/demo/session')).json).toEqual(who)
    const tokens = await signUpForTokens(client, 'demo@example.com')
    expect((await demo(client, 'live', tokens.access_token)).json).toMatchObject({ sid: tokens.sid })
  })

  test('takes the scheme in any case, as RFC 9110 says', async () => {
    const token = await hybridToken(person, server)
    for (const scheme of ['bearer', 'BEARER', 'Bearer ']) {
      expect((await client.get('/api/demo/offline', { authorization: `${scheme} ${token}` })).status).toBe(200)
    }
  })

  test.each(FRESHNESSES)('%s asks for a bearer token when there is none, and says nothing else (RFC 6750, 3.1)', async (freshness) => {
    const reply = await client.get(`/api/demo/${freshness}`)
    expect([reply.status, reply.headers['www-authenticate'], codeOf(reply)]).toEqual([401, 'Bearer', 'token_missing'])
    expect((await person.get(`/api/demo/${freshness}`)).status).toBe(401)
  })

  test.each(FRESHNESSES)('%s answers 400 for what is no bearer token by its grammar', async (freshness) => {
    const token = await hybridToken(person, server)
    const wrong = [
      'Basic YW5uOng=',
      'Bearer',
      'Bearer ',
      `Bearer ${token} x`,
      `Bearer ${token}, Bearer ${token}`,
      'Bearer a b',
      'Bearer "a"',
      `DPoP ${token}`,
      token,
    ]
    for (const authorization of wrong) {
      const reply = await client.get(`/api/demo/${freshness}`, { authorization })
      expect([authorization, reply.status, reply.headers['www-authenticate']]).toEqual([
        authorization,
        400,
        'Bearer error="invalid_request"',
      ])
    }
  })

  test.each(FRESHNESSES)('%s never reads a token from the query', async (freshness) => {
    const token = await hybridToken(person, server)
    for (const query of [`access_token=${token}`, `access%5ftoken=${token}`, `a=b&access_token=`]) {
      for (const headers of [{}, bearer(token)]) expect((await client.get(`/api/demo/${freshness}?${query}`, headers)).status).toBe(400)
    }
  })

  test.each([9_000, 200_000])('refuses an over-long token of %i characters with 401, 413, 414 or 431', async (length) => {
    const reply = await demo(client, 'offline', 'a'.repeat(length))
    expect([401, 413, 414, 431]).toContain(reply.status)
  })

  test('refuses every token that is not good with 401 and one and the same challenge', async () => {
    const token = await hybridToken(person, server)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = claimsOf(token)
    const { kid } = headerOf(token)
    const stranger = await generateKeyPair('ES256', { extractable: true })
    const signed = (head: Record<string, unknown>) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid, ...head }).sign(stranger.privateKey)
    const publicKey = new TextEncoder().encode(JSON.stringify((await jwks()).keys.find((key) => key.kid === kid)))
    const tokens = await signUpForTokens(client, `bad-tokens@example.com`)
    const changed = (text: string, at: number) => `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
    const bad = {
      garbage: 'garbage',
      'two parts': `${header}.${payload}`,
      'four parts': `${token}.x`,
      'no signature': `${header}.${payload}.`,
      'a changed signature': `${header}.${payload}.${changed(signature, 10)}`,
      'the last character changed': changed(token, token.length - 2),
      'spare bits in the last character': `${token.slice(0, -1)}${String.fromCharCode(token.charCodeAt(token.length - 1) + 1)}`,
      padding: `${token}=`,
      'another payload': `${header}.${part({ ...claims, sub: tokens.sid })}.${signature}`,
      'another type': `${part({ alg: 'ES256', typ: 'JWT', kid })}.${payload}.${signature}`,
      'alg none': `${part({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`,
      'alg none with a signature': `${part({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.${signature}`,
      'the public key as a secret': await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid }).sign(publicKey),
      'another key under our kid': await signed({}),
      'another key under its own kid': await signed({ kid: 'AAAAAAAAAAAAAAAAAAAAAA' }),
      'another key in its header': await signed({ jwk: await exportJWK(stranger.publicKey) }),
      'no kid': await signed({ kid: undefined }),
      'a session cookie': person.cookies.get('__Host-session') ?? '',
      'a device cookie': person.cookies.get('__Host-device') ?? '',
      'a refresh token': tokens.refresh_token,
      'a token for another audience': await hybridToken(person, server, { audience: API }),
    }
    for (const freshness of FRESHNESSES) {
      for (const [name, text] of Object.entries(bad)) {
        const reply = await demo(client, freshness, text)
        expect([name, reply.status, codeOf(reply), reply.headers['www-authenticate']]).toEqual([
          name,
          401,
          'token_invalid',
          'Bearer error="invalid_token"',
        ])
      }
      expect((await demo(client, freshness, token)).status).toBe(200)
    }
  })

  test('takes no token for the cookie route', async () => {
    const reply = await client.get('/api/demo/session', bearer(await hybridToken(person, server)))
    expect([400, 401]).toContain(reply.status)
    expect((await client.get('/api/demo/session')).status).toBe(401)
  })

  test('answers HEAD as it answers GET, without the body', async () => {
    const token = bearer(await hybridToken(person, server))
    for (const freshness of FRESHNESSES) {
      const head = await client.request('HEAD', `/api/demo/${freshness}`, undefined, token)
      expect([head.status, head.text]).toEqual([200, ''])
    }
  })
})

describe('a token of another audience or scope', () => {
  test('does not open the account: 401 for the audience, 403 with the scope that is needed', async () => {
    const foreign = await hybridToken(person, server, { audience: API })
    expect((await client.get('/api/session', bearer(foreign))).status).toBe(401)
    const narrow = await hybridToken(person, server, { scope: 'notes:read' })
    for (const [method, path] of [
      ['GET', '/api/session'],
      ['GET', '/api/sessions'],
      ['DELETE', '/api/sessions'],
    ] as const) {
      const reply = await client.request(method, path, undefined, bearer(narrow))
      expect([reply.status, codeOf(reply)]).toEqual([403, 'insufficient_scope'])
      expect(reply.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="account"')
    }
    expect((await person.get('/api/session')).status).toBe(200)
  })
})
