import { describe, expect, test } from 'vitest'
import { readClientAssertion, verifyAssertionSignature } from '../../src/oauth/client-assertion.ts'
import type { Fetch, VerifierOptions } from '../../src/sdk/index.ts'
import { TokenError } from '../../src/sdk/index.ts'
import { introspection } from '../../src/sdk/introspection.ts'
import { codeOf, fail, forever, ISSUER, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')
const SECRET = { client_id: 'notes api', client_secret: 'hunter2+/:ü' }
const URL_ASKED = `${ISSUER}/oauth/introspect`
type Init = Parameters<Fetch>[1]
type Answer = (token: string) => Response | Promise<Response>

const json = (value: unknown, init: ResponseInit = {}) =>
  new Response(typeof value === 'string' ? value : JSON.stringify(value), {
    headers: { 'content-type': 'application/json' },
    ...init,
  })
const claimsOf = (token: string) => JSON.parse(atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')))
const isActive: Answer = (token) => json({ active: true, token_type: 'Bearer', ...claimsOf(token) })

/** An issuer that can be asked over HTTP about a token; `answer` is what it says. */
class AskedIssuer extends Issuer {
  answer: Answer = isActive
  sent: { url: string; init: Init; form: URLSearchParams }[] = []

  asking(options: Partial<VerifierOptions> = {}, credentials: Parameters<typeof introspection>[0] = SECRET) {
    const send: Fetch = async (url, init) => {
      if (init.method !== 'POST') return this.fetch(url, init)
      const form = new URLSearchParams(init.body)
      this.sent.push({ url, init, form })
      return this.answer(form.get('token') ?? '')
    }
    return this.httpVerifier({ introspection: introspection(credentials), fetch: send, ...options })
  }
}

/** The refusal of one token, by a verifier whose issuer answers so. */
async function refusalOf(answer: Answer, token?: string): Promise<TokenError> {
  const issuer = new AskedIssuer(signingKey)
  issuer.answer = answer
  try {
    await issuer.asking({ freshness: 'live' }).verifyToken(token ?? (await issuer.token()))
  } catch (error) {
    if (error instanceof TokenError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('live without a binding', () => {
  test('asks the issuer each time, as its client, with the token in the body', async () => {
    const issuer = new AskedIssuer(signingKey)
    const verifier = issuer.asking({ freshness: 'live' })
    const token = await issuer.token()
    for (let i = 0; i < 2; i++) expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live', viewAgeMs: 0 })
    expect(issuer.sent).toHaveLength(2)
    const [{ url, init, form } = { url: '', init: undefined, form: undefined }] = issuer.sent
    expect([url, init?.method, init?.redirect]).toEqual([URL_ASKED, 'POST', 'manual'])
    expect(init?.signal).toBeInstanceOf(AbortSignal)
    expect(init?.headers).toEqual({
      // RFC 6749 2.3.1: form-encoded, then joined.
      authorization: `Basic ${btoa('notes+api:hunter2%2B%2F%3A%C3%BC')}`,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    })
    expect(Object.fromEntries(form ?? [])).toEqual({ token, token_type_hint: 'access_token' })
  })

  test('tells revoked from outdated', async () => {
    expect((await refusalOf(() => json({ active: false }))).code).toBe('token_revoked')
    expect((await refusalOf(() => json({ active: false, error: 'outdated' }))).code).toBe('token_outdated')
    expect((await refusalOf(() => json({ active: false, error: 'else' }))).code).toBe('token_revoked')
  })

  test('stands in for the list when that cannot be had, and is kept within the bound', async () => {
    const issuer = new AskedIssuer(signingKey)
    const verifier = issuer.asking()
    const token = await issuer.token()
    issuer.onFeed = fail
    for (let i = 0; i < 5; i++) expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live' })
    expect(issuer.sent).toHaveLength(1)
    issuer.answer = () => json({ active: false })
    issuer.advance(5001)
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
  })

  test('asks nothing for fresh while the list is there, and nothing about a token that is not good', async () => {
    const issuer = new AskedIssuer(signingKey)
    const verifier = issuer.asking()
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh' })
    const other = await issuer.token({ aud: 'https://other.example' })
    expect(await codeOf(verifier.verifyToken(other, { freshness: 'live' }))).toBe('token_invalid')
    expect(issuer.sent).toEqual([])
  })

  test('is asked in place of a binding', async () => {
    const issuer = new AskedIssuer(signingKey)
    await issuer.asking({ binding: issuer, freshness: 'live' }).verifyToken(await issuer.token())
    expect([issuer.calls.check, issuer.sent.length]).toEqual([0, 1])
  })
})

describe('what is no answer makes the token neither good nor revoked', () => {
  const big = `{"active":true,"x":"${'x'.repeat(65_536)}"}`
  test.each<[string, Answer]>([
    ['an active that is a text', (token) => json({ ...claimsOf(token), active: 'true' })],
    ['an active that is a number', (token) => json({ ...claimsOf(token), active: 1 })],
    ['no active', (token) => json(claimsOf(token))],
    ['a list', () => json([{ active: true }])],
    ['no JSON', () => json('active')],
    ['a member twice', () => json('{"active":false,"active":true}')],
    ['nothing', () => json('')],
    ['another token', (token) => json({ ...claimsOf(token), active: true, jti: 'another' })],
    ['another account', (token) => json({ ...claimsOf(token), active: true, sub: 'another' })],
    ['another client', (token) => json({ ...claimsOf(token), active: true, client_id: 'another' })],
    ['a bare yes', () => json({ active: true })],
    ['another content type', () => json({ active: false }, { headers: { 'content-type': 'text/html' } })],
    ['no content type', () => new Response(new TextEncoder().encode('{"active":false}'))],
    ['more than 64 KiB', () => json(big)],
    ['a redirect', () => json({ active: false }, { status: 302, headers: { location: 'https://evil.example/' } })],
    ['429', () => json({ active: false }, { status: 429 })],
    ['500', () => json({ active: false }, { status: 500 })],
    ['503', () => json({ error: 'temporarily_unavailable' }, { status: 503 })],
    ['an issuer out of reach', fail],
  ])('%s', async (_, answer) => {
    const { code, status, retryAfter } = await refusalOf(answer)
    expect([code, status, retryAfter]).toEqual(['verifier_unavailable', 503, 1])
  })

  test('an issuer that does not answer in time', async () => {
    const { code, reason } = await refusalOf(forever)
    expect([code, reason]).toEqual(['verifier_unavailable', 'feed: ; live: none'])
  })

  test.each([400, 401, 403])('%i, and the operator is told to look at the credentials, which are not told', async (status) => {
    const { code, reason, message } = await refusalOf(() => json({ error: 'invalid_client' }, { status }))
    expect(code).toBe('verifier_unavailable')
    expect(reason).toBe(`feed: ; live: Error: ${URL_ASKED}: ${status}: check client_id and its credentials`)
    expect(`${reason}${message}`).not.toContain('hunter2')
  })
})

describe('private_key_jwt', () => {
  const asked = (client_id: string) => ({ client_id, token_endpoint_auth_signing_alg: null })

  test.each(['ES256', 'EdDSA', 'RS256'] as const)(
    'signs an assertion by %s that the issuer takes, another for each question',
    async (alg) => {
      const issuer = new AskedIssuer(signingKey)
      const { privateKey, jwk } = await makeKey('c1', alg)
      const verifier = issuer.asking({ freshness: 'live' }, { client_id: 'notes', private_key: privateKey, kid: 'c1' })
      const token = await issuer.token()
      await verifier.verifyToken(token)
      await verifier.verifyToken(token)
      const jtis = new Set<string>()
      for (const { init, form } of issuer.sent) {
        expect(init.headers).not.toHaveProperty('authorization')
        const presented = {
          client_assertion: form.get('client_assertion') ?? undefined,
          client_assertion_type: form.get('client_assertion_type') ?? undefined,
        }
        const reading = readClientAssertion(presented, asked('notes'), ISSUER, Math.floor(Date.now() / 1000))
        if (!reading.ok) throw new Error(reading.reason)
        expect(reading.assertion.kid).toBe('c1')
        const check = await verifyAssertionSignature(reading.assertion, [jwk])
        if (!check.ok) throw new Error(check.reason)
        jtis.add(check.jti)
      }
      expect(jtis.size).toBe(2)
    },
  )
})

describe('a mistake stops the program when it is built', () => {
  const options = { issuer: ISSUER, audience: ISSUER }

  test('live with nobody to ask', async () => {
    const issuer = new AskedIssuer(signingKey)
    expect(() => issuer.httpVerifier({ freshness: 'live' })).toThrow('freshness: needs a binding or introspection')
    const later = issuer.httpVerifier().verifyToken(await issuer.token(), { freshness: 'live' })
    await expect(later).rejects.toThrow(TypeError)
  })

  test('options in place of introspection()', () => {
    const given: VerifierOptions = { ...options, ...{ introspection: SECRET } } as never
    expect(() => new AskedIssuer(signingKey).httpVerifier(given)).toThrow('introspection: needs introspection()')
  })

  test('no client, no secret, no key to sign with', async () => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
    const p384 = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, false, ['sign', 'verify'])
    if (!('privateKey' in p384) || !('publicKey' in pair)) throw new Error('no key pair')
    expect(() => introspection({ client_id: '', client_secret: 's' })).toThrow('client_id: needs a string')
    expect(() => introspection({ client_id: 'c', client_secret: '' })).toThrow('client_secret: needs a string')
    for (const private_key of [pair.publicKey, p384.privateKey, {} as CryptoKey]) {
      expect(() => introspection({ client_id: 'c', private_key })).toThrow('private_key: needs a CryptoKey for ES256, EdDSA or RS256')
    }
  })
})
