import { describe, expect, test } from 'vitest'
import { RETIRED_SECONDS, SIGNER_CACHE_SECONDS } from '../../src/keys/rotation.ts'
import { encodeBase64url } from '../../src/protocol/base64url.ts'
import { ID_TOKEN_LIFETIME, type IdTokenFacts, idTokenClaims } from '../../src/tokens/id-token.ts'
import { LOGOUT_TOKEN_LIFETIME, logoutTokenClaims } from '../../src/tokens/logout-token.ts'

const NOW = 1_800_000_000
const facts: IdTokenFacts = {
  issuer: 'https://auth.example.com',
  client_id: 'shop',
  sub: 'AAAAAAAAAAAAAAAAAAAAAA',
  nonce: 'n-0S6_WzA2Mj',
  auth_time: NOW - 60,
  acr: 'urn:example:pwd',
  amr: ['pwd'],
  sid: 'BBBBBBBBBBBBBBBBBBBBBB',
  alg: 'RS256',
  now: NOW,
}

describe('the claims of an ID token (OpenID Connect Core, 2)', () => {
  test('are exactly these', async () => {
    expect(await idTokenClaims(facts)).toEqual({
      iss: 'https://auth.example.com',
      sub: 'AAAAAAAAAAAAAAAAAAAAAA',
      aud: 'shop',
      exp: NOW + 300,
      iat: NOW,
      auth_time: NOW - 60,
      nonce: 'n-0S6_WzA2Mj',
      acr: 'urn:example:pwd',
      amr: ['pwd'],
      sid: 'BBBBBBBBBBBBBBBBBBBBBB',
    })
  })

  test('leave out what there is not', async () => {
    const claims = await idTokenClaims({ ...facts, nonce: null, sid: null })
    expect(Object.keys(claims).sort()).toEqual(['acr', 'amr', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'sub'])
  })

  test('bind the access token and the code by half a hash, as in the examples of Core (A.4, A.6)', async () => {
    const bound = await idTokenClaims({
      ...facts,
      access_token: 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y',
      code: 'Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk',
    })
    expect([bound.at_hash, bound.c_hash]).toEqual(['77QmUPtjPfzWtF2AnpK9RQ', 'LDktKdoQak3Pk0cnXxCltA'])
  })

  test('take SHA-256 for ES256, SHA-512 for EdDSA', async () => {
    const access_token = 'some.access.token'
    const half = async (hash: string) => {
      const digest = new Uint8Array(await crypto.subtle.digest(hash, new TextEncoder().encode(access_token)))
      return encodeBase64url(digest.subarray(0, digest.length / 2))
    }
    expect((await idTokenClaims({ ...facts, alg: 'ES256', access_token })).at_hash).toBe(await half('SHA-256'))
    expect((await idTokenClaims({ ...facts, alg: 'EdDSA', access_token })).at_hash).toBe(await half('SHA-512'))
  })

  test('say of a person what they are given, which never replaces a claim of ours', async () => {
    const profile = { name: 'Ann', email: 'ann@example.com', email_verified: false, sub: 'somebody-else', iss: 'https://evil.example' }
    expect(await idTokenClaims({ ...facts, profile })).toEqual({
      ...(await idTokenClaims(facts)),
      name: 'Ann',
      email: 'ann@example.com',
      email_verified: false,
    })
  })

  test('live no longer than the key that signed them stays published', () => {
    for (const lifetime of [ID_TOKEN_LIFETIME, LOGOUT_TOKEN_LIFETIME])
      expect(RETIRED_SECONDS).toBeGreaterThan(SIGNER_CACHE_SECONDS + lifetime)
  })
})

describe('the claims of a logout token (Back-Channel Logout, 2.4)', () => {
  const logout = { issuer: facts.issuer, client_id: 'shop', sub: facts.sub, sid: facts.sid, jti: 'CCCCCCCCCCCCCCCCCCCCCC', now: NOW }

  test('are exactly these, with no nonce', () => {
    expect(logoutTokenClaims(logout)).toEqual({
      iss: 'https://auth.example.com',
      sub: 'AAAAAAAAAAAAAAAAAAAAAA',
      aud: 'shop',
      iat: NOW,
      exp: NOW + 120,
      jti: 'CCCCCCCCCCCCCCCCCCCCCC',
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
      sid: 'BBBBBBBBBBBBBBBBBBBBBB',
    })
  })

  test('name no session when all of the account have ended', () => {
    expect(logoutTokenClaims({ ...logout, sid: null })).not.toHaveProperty('sid')
  })
})
