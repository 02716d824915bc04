import { Hono } from 'hono'
import { beforeEach, describe, expect, test } from 'vitest'
import { DpopError, type DpopOptions, dpopVerifier } from '../../src/sdk/dpop.ts'
import { type AuthVariables, authenticate } from '../../src/sdk/hono.ts'
import type { VerifierOptions } from '../../src/sdk/index.ts'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { type Change, makeClientKey, makeProof } from '../oauth/proofs.ts'
import { codeOf, ISSUER, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')
const [key, other] = await Promise.all([makeClientKey(), makeClientKey()])
const jkt = (await jwkThumbprint(key.jwk)) ?? ''
const ADDRESS = 'https://api.example/notes?page=2'
const ALGS = 'algs="ES256 EdDSA Ed25519 PS256"'

let issuer: Issuer
let token: string
beforeEach(async () => {
  issuer = new Issuer(signingKey)
  token = await issuer.token({ cnf: { jkt } })
})

const dpop = (options: Partial<DpopOptions> = {}, verifier: Partial<VerifierOptions> = {}) =>
  dpopVerifier({ verifier: issuer.verifier(verifier), nowMs: () => issuer.nowMs, ...options })

async function request(change: Change = {}, more: { token?: string; signer?: typeof key; scheme?: string } = {}): Promise<Request> {
  const accessToken = more.token ?? token
  const proof = await makeProof(more.signer ?? key, { method: 'GET', url: ADDRESS, now: issuer.now, accessToken }, change)
  return new Request(ADDRESS, { headers: { authorization: `${more.scheme ?? 'DPoP'} ${accessToken}`, dpop: proof } })
}

async function refusalOf(attempt: Promise<unknown>): Promise<DpopError> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof DpopError) return error
    throw error
  }
  throw new Error('it was accepted')
}

test('a bound token with a proof of its key is accepted, again and again with new proofs', async () => {
  const verifier = dpop()
  for (let count = 0; count < 3; count++) {
    expect((await verifier.verify(await request())).claims).toMatchObject({ iss: ISSUER, cnf: { jkt } })
  }
})

test('a bound token is refused as a plain bearer token, also once it is remembered', async () => {
  const bearer = issuer.verifier()
  const verifier = dpopVerifier({ verifier: bearer, nowMs: () => issuer.nowMs })
  expect(await codeOf(bearer.verifyToken(token))).toBe('token_invalid')
  await verifier.verify(await request())
  expect(await codeOf(bearer.verifyToken(token))).toBe('token_invalid')
  expect(await codeOf(bearer.verifyToken(token, { freshness: 'offline' }))).toBe('token_invalid')
  expect(await codeOf(bearer.verifyToken(token, { boundTo: `${jkt}x` }))).toBe('token_invalid')
  expect(await codeOf(bearer.verifyToken(token, { boundTo: '' }))).toBe('token_invalid')
  expect(await codeOf(bearer.verifyToken(token, { boundTo: jkt }))).toBe('accepted')
})

test('who only asks about a token says so, and proves no key', async () => {
  const verifier = issuer.verifier()
  expect(await codeOf(verifier.verifyToken(token, { boundTo: 'unproven' }))).toBe('accepted')
  expect(await codeOf(verifier.verifyToken(await issuer.token(), { boundTo: 'unproven' }))).toBe('accepted')
})

test('a token without a binding is no bound token, whoever proves whichever key', async () => {
  const plain = await issuer.token()
  expect(await codeOf(dpop().verify(await request({}, { token: plain })))).toBe('token_invalid')
})

test('the proof must be of the token’s key and of the token', async () => {
  const verifier = dpop()
  expect((await refusalOf(verifier.verify(await request({}, { signer: other })))).reason).toBe('cnf')
  const stolen = await request()
  const another = await issuer.token({ cnf: { jkt } })
  stolen.headers.set('authorization', `DPoP ${another}`)
  expect((await refusalOf(verifier.verify(stolen))).reason).toBe('proof: ath')
  expect((await refusalOf(verifier.verify(await request({ claims: { ath: undefined } })))).reason).toBe('proof: ath')
})

test('the revocation list is asked as ever', async () => {
  const verifier = dpop()
  await verifier.verify(await request())
  issuer.deny({ kind: 'sid', id: 'session-1', end: issuer.now + 310 })
  issuer.advance(6000)
  expect(await codeOf(verifier.verify(await request()))).toBe('token_revoked')
  issuer.onCheck = async () => ({ active: false, error: 'outdated' })
  const fresh = await issuer.token({ cnf: { jkt }, sid: 'session-2' })
  expect(await codeOf(verifier.verify(await request({}, { token: fresh }), { freshness: 'live' }))).toBe('token_outdated')
})

describe('a proof seen before', () => {
  test('is refused, however it is spelled out', async () => {
    const verifier = dpop()
    const first = await request()
    await verifier.verify(first)
    expect((await refusalOf(verifier.verify(first))).reason).toBe('proof: seen before')
    const same = { claims: { jti: 'same' } }
    await verifier.verify(await request(same))
    expect((await refusalOf(verifier.verify(await request(same)))).reason).toBe('proof: seen before')
  })

  test('passes once when it comes 50 times at once', async () => {
    const verifier = dpop()
    const once = await request()
    const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(verifier.verify(once))))
    expect(codes.filter((code) => code === 'accepted')).toHaveLength(1)
  })

  test('is refused until it is good no more', async () => {
    const verifier = dpop()
    const first = await request({ claims: { iat: issuer.now + 10 } })
    await verifier.verify(first)
    issuer.advance(80_000)
    expect((await refusalOf(verifier.verify(first))).reason).toBe('proof: seen before')
    issuer.advance(1000)
    expect((await refusalOf(verifier.verify(first))).reason).toBe('proof: iat')
  })

  test('of another key is another proof', async () => {
    const verifier = dpop()
    const same = { claims: { jti: 'same' } }
    await verifier.verify(await request(same))
    const others = await issuer.token({ cnf: { jkt: await jwkThumbprint(other.jwk) } })
    expect(await codeOf(verifier.verify(await request(same, { token: others, signer: other })))).toBe('accepted')
  })

  test('can be remembered elsewhere, and only one that came with a good token is', async () => {
    const seen: object[] = []
    const verifier = dpop({ remember: async (proof) => seen.push(proof) === 1 })
    expect(await codeOf(verifier.verify(await request({}, { token: await issuer.token() })))).toBe('token_invalid')
    expect(seen).toEqual([])
    expect(await codeOf(verifier.verify(await request({ claims: { jti: 'a' } })))).toBe('accepted')
    expect(await codeOf(verifier.verify(await request()))).toBe('token_invalid')
    expect(seen[0]).toEqual({ jkt, jti: 'a', expires_at: issuer.now + 71 })
  })
})

describe('the answer', () => {
  const answerTo = async (refused: Request, options: Partial<VerifierOptions> = {}) => {
    const response = (await refusalOf(dpop({}, options).verify(refused))).getResponse()
    return [response.status, response.headers.get('www-authenticate')]
  }

  test.each([{}, { authorization: 'Bearer abc' }, { authorization: 'Basic abc' }, { authorization: 'DPoPx abc' }])(
    'to %j asks for DPoP without an error',
    async (headers) => {
      expect(await answerTo(new Request(ADDRESS, { headers: new Headers(Object.entries(headers)) }))).toEqual([401, `DPoP ${ALGS}`])
    },
  )

  test.each(['DPoP', 'DPoP a b', 'DPoP a,b', 'DPoP =', `DPoP ${'a'.repeat(9000)}`])('to the malformed %s', async (authorization) => {
    const challenge = `DPoP error="invalid_request", ${ALGS}`
    expect(await answerTo(new Request(ADDRESS, { headers: { authorization } }))).toEqual([400, challenge])
  })

  test('to a proof that is absent, doubled or bad names the proof', async () => {
    const challenge = `DPoP error="invalid_dpop_proof", ${ALGS}`
    const absent = await request()
    absent.headers.delete('dpop')
    expect(await answerTo(absent)).toEqual([401, challenge])
    const doubled = await request()
    doubled.headers.append('dpop', (await request()).headers.get('dpop') ?? '')
    expect(await answerTo(doubled)).toEqual([401, challenge])
    expect(await answerTo(await request({ claims: { htm: 'POST' } }))).toEqual([401, challenge])
  })

  test('to a bad token names the token', async () => {
    expect(await answerTo(await request({}, { signer: other }))).toEqual([401, `DPoP error="invalid_token", ${ALGS}`])
    expect(await answerTo(await request({}, { token: `${token.slice(0, -4)}AAAA` }))).toEqual([401, `DPoP error="invalid_token", ${ALGS}`])
  })

  test('keeps what else a challenge says', async () => {
    const resourceMetadata = 'https://api.example/.well-known/oauth-protected-resource'
    expect(await answerTo(new Request(ADDRESS), { resourceMetadata })).toEqual([
      401,
      `DPoP resource_metadata="${resourceMetadata}", ${ALGS}`,
    ])
    expect(await answerTo(await request(), { requires: { scope: 'admin' } })).toEqual([
      403,
      `DPoP error="insufficient_scope", scope="admin", ${ALGS}`,
    ])
  })

  test('is a 503 without a challenge while the list cannot be had', async () => {
    issuer.onFeed = () => Promise.reject(new Error('away'))
    issuer.onCheck = () => Promise.reject(new Error('away'))
    const response = (await refusalOf(dpop().verify(await request()))).getResponse()
    expect([response.status, response.headers.get('retry-after'), response.headers.get('www-authenticate')]).toEqual([503, '1', null])
  })
})

describe('the address of a request', () => {
  const at = async (url: string, origin?: string) => {
    const { headers } = await request()
    return codeOf(dpop(origin === undefined ? {} : { origin }).verify({ method: 'GET', url, headers }))
  }

  test.each([
    [ADDRESS, undefined, 'accepted'],
    ['/notes?page=3', 'https://api.example', 'accepted'],
    ['http://10.0.0.1:8080/notes', 'https://api.example', 'accepted'],
    ['/notes', undefined, 'token_invalid'],
    ['//evil.example/notes', 'https://api.example', 'token_invalid'],
    ['/other', 'https://api.example', 'token_invalid'],
    ['*', 'https://api.example', 'token_invalid'],
    [ADDRESS, 'https://other.example', 'token_invalid'],
  ])('%s at the origin %s: %s', async (url, origin, answer) => expect(await at(url, origin)).toBe(answer))

  test.each(['https://api.example/', 'api.example', ''])('the origin %j is a mistake', (origin) => {
    expect(() => dpop({ origin })).toThrow(TypeError)
  })

  test('so is a memory of nothing', () => expect(() => dpop({ memory: 0 })).toThrow(TypeError))
})

test('it stands in for a verifier in Hono', async () => {
  const app = new Hono<{ Variables: AuthVariables }>()
  app.use(authenticate({ verifier: dpop() }))
  app.get('/notes', (c) => c.text(c.get('auth').claims.sub))
  expect(await (await app.request(await request())).text()).toBe('account-1')
  const refused = await app.request(new Request(ADDRESS, { headers: { authorization: `Bearer ${token}` } }))
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, `DPoP ${ALGS}`])
})
