import { beforeAll, describe, expect, test } from 'vitest'
import { generateKey, unwrapKey, WEB_CRYPTO } from '../../src/keys/generate.ts'
import { algorithmsOf, type PublicJwk, type SigningAlgorithm } from '../../src/keys/key.ts'
import { openSecretRing } from '../../src/keys/secret-ring.ts'
import { readIdTokenHint } from '../../src/oauth/id-token-hint.ts'
import { encodeBase64url } from '../../src/protocol/base64url.ts'
import { idTokenClaims } from '../../src/tokens/id-token.ts'
import { logoutTokenClaims } from '../../src/tokens/logout-token.ts'

const ISSUER = 'https://auth.example.com'
const NOW = 1_800_000_000
const facts = { issuer: ISSUER, client_id: 'shop', sub: 'AAAAAAAAAAAAAAAAAAAAAA', sid: 'BBBBBBBBBBBBBBBBBBBBBB', now: NOW }

type Signing = { jwk: PublicJwk; sign: (header: object, payload: object | string) => Promise<string> }

async function signing(alg: SigningAlgorithm): Promise<Signing> {
  const ring = await openSecretRing(['a-secret-of-at-least-32-characters-long'])
  const key = await generateKey(alg, ring)
  const pkcs8 = await unwrapKey(key, ring)
  if (!pkcs8) throw new Error('the ring that wrapped it opens it')
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, WEB_CRYPTO[alg], false, ['sign'])
  const text = new TextEncoder()
  return {
    jwk: key.public_jwk,
    async sign(header, payload) {
      const body = typeof payload === 'string' ? payload : JSON.stringify(payload)
      const input = `${encodeBase64url(text.encode(JSON.stringify(header)))}.${encodeBase64url(text.encode(body))}`
      return `${input}.${encodeBase64url(new Uint8Array(await crypto.subtle.sign(WEB_CRYPTO[alg], privateKey, text.encode(input))))}`
    },
  }
}

let rsa: Signing
let ec: Signing
let stranger: Signing
let keys: PublicJwk[]
let claims: object
beforeAll(async () => {
  ;[rsa, ec, stranger] = await Promise.all([signing('RS256'), signing('ES256'), signing('RS256')])
  keys = [ec.jwk, rsa.jwk]
  claims = await idTokenClaims({ ...facts, nonce: null, auth_time: NOW - 5, acr: 'pwd', amr: ['pwd'], alg: 'RS256' })
})

const read = (token: string) => readIdTokenHint(token, keys, ISSUER)
const headerOf = ({ jwk }: Signing, typ: string | undefined = 'JWT') => ({ alg: jwk.alg, kid: jwk.kid, ...(typ === '' ? {} : { typ }) })
const WHO = { sub: facts.sub, sid: facts.sid, aud: 'shop' }

describe('an id_token_hint', () => {
  test('of ours is read, long expired, of every algorithm, with a typ of JWT or none', async () => {
    expect(algorithmsOf('ES256')).toEqual([ec.jwk.alg, rsa.jwk.alg])
    for (const key of [ec, rsa]) {
      for (const typ of ['JWT', '']) expect(await read(await key.sign(headerOf(key, typ), claims))).toEqual(WHO)
    }
    expect(await read(await rsa.sign(headerOf(rsa), { ...claims, sid: undefined }))).toEqual({ ...WHO, sid: null })
  })

  test('signed by a key that is no longer published is nobody', async () => {
    const token = await rsa.sign(headerOf(rsa), claims)
    expect(await readIdTokenHint(token, [ec.jwk], ISSUER)).toBeNull()
    expect(await readIdTokenHint(token, [], ISSUER)).toBeNull()
  })

  test('by a stranger who uses our kid, or of another issuer, is nobody', async () => {
    expect(await read(await stranger.sign(headerOf(rsa), claims))).toBeNull()
    expect(await read(await stranger.sign(headerOf(stranger), claims))).toBeNull()
    expect(await read(await rsa.sign(headerOf(rsa), { ...claims, iss: `${ISSUER}/` }))).toBeNull()
    expect(await readIdTokenHint(await rsa.sign(headerOf(rsa), claims), keys, 'https://other.example')).toBeNull()
  })

  test('that is another kind of token is nobody', async () => {
    for (const typ of ['at+jwt', 'logout+jwt', 'jwt', 'application/jwt', 'dpop+jwt', 'JWT ']) {
      expect([typ, await read(await rsa.sign(headerOf(rsa, typ), claims))]).toEqual([typ, null])
    }
    const logout = logoutTokenClaims({ ...facts, jti: 'CCCCCCCCCCCCCCCCCCCCCC' })
    expect(await read(await rsa.sign(headerOf(rsa, ''), { ...logout, auth_time: NOW }))).toBeNull()
    const { auth_time: _, ...without } = { auth_time: 0, ...claims }
    expect(await read(await rsa.sign(headerOf(rsa, ''), without))).toBeNull()
  })

  test('whose header asks for another algorithm, key or meaning is nobody', async () => {
    const header = headerOf(rsa)
    const headers: object[] = [
      { ...header, alg: 'none' },
      { ...header, alg: 'HS256' },
      { ...header, alg: 'ES256' },
      { ...header, kid: ec.jwk.kid },
      { alg: 'RS256', typ: 'JWT' },
      { ...header, kid: 7 },
      { ...header, jwk: stranger.jwk },
      { ...header, jku: 'https://evil.example/jwks.json' },
      { ...header, crit: ['exp'] },
      { ...header, typ: null },
    ]
    for (const each of headers) expect([each, await read(await rsa.sign(each, claims))]).toEqual([each, null])
  })

  test('with claims of another shape is nobody, though we should have signed them', async () => {
    for (const change of [
      { sub: 7 },
      { sub: undefined },
      { aud: ['shop'] },
      { aud: undefined },
      { sid: 7 },
      { exp: '1' },
      { iss: [ISSUER] },
    ]) {
      expect([change, await read(await rsa.sign(headerOf(rsa), { ...claims, ...change }))]).toEqual([change, null])
    }
    for (const payload of ['[]', 'null', '"x"', '', '{', `{"sub":"a",${JSON.stringify(claims).slice(1)}`]) {
      expect([payload, await read(await rsa.sign(headerOf(rsa), payload))]).toEqual([payload, null])
    }
  })

  test('with any character changed, dropped or added is nobody', async () => {
    const token = await ec.sign(headerOf(ec), claims)
    for (let at = 0; at < token.length; at += 3) {
      const other = token[at] === 'A' ? 'B' : 'A'
      expect(await read(token.slice(0, at) + other + token.slice(at + 1))).toBeNull()
      expect(await read(token.slice(0, at) + token.slice(at + 1))).toBeNull()
    }
    for (const text of [
      '',
      '.',
      '..',
      '...',
      `${token}.`,
      ` ${token}`,
      `${token}=`,
      token.slice(0, token.lastIndexOf('.')),
      'x'.repeat(100_000),
      '💥',
    ]) {
      expect(await read(text)).toBeNull()
    }
  })
})
