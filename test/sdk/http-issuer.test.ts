import { describe, expect, test } from 'vitest'
import { createVerifier, type Fetch } from '../../src/sdk/index.ts'
import { codeOf, end, fail, forever, ISSUER, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

/** The issuer's own answers, but for one path. */
const instead =
  (issuer: Issuer, path: string, answer: () => Response | Promise<Response>): Fetch =>
  (url, init) =>
    new URL(url).pathname === path ? Promise.resolve(answer()) : issuer.fetch(url, init)

const keySet = (issuer: Issuer) => JSON.stringify({ keys: issuer.keys })
const json = { 'content-type': 'application/json' }

describe('without a binding', () => {
  test('keys and feed come by HTTP, from two paths of the issuer', async () => {
    const issuer = new Issuer(signingKey)
    const asked: { url: string; redirect: string; signal: boolean }[] = []
    const verifier = issuer.httpVerifier({
      fetch: (url, init) => {
        asked.push({ url, redirect: init.redirect, signal: init.signal instanceof AbortSignal })
        return issuer.fetch(url, init)
      },
    })
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh', viewAgeMs: 0 })
    issuer.advance(6000)
    await verifier.verifyToken(await issuer.token())
    expect(asked).toEqual(
      [`${ISSUER}/.well-known/jwks.json`, `${ISSUER}/revocations`, `${ISSUER}/revocations?after=00000000000000e1.0`].map((url) => ({
        url,
        redirect: 'manual',
        signal: true,
      })),
    )
  })

  test('a revoked token is refused within the bound', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.httpVerifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
    issuer.advance(1001)
    await verifier.verifyToken(token)
    await settle()
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
  })

  test('past the bound it is 503, with the reason for the operator; and it recovers', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.httpVerifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.onFeed = fail
    issuer.advance(5001)
    await expect(verifier.verifyToken(token)).rejects.toMatchObject({
      code: 'verifier_unavailable',
      status: 503,
      retryAfter: 1,
      reason: expect.stringContaining('out of reach'),
    })
    issuer.onFeed = async () => {}
    issuer.advance(1000)
    await codeOf(verifier.verifyToken(token))
    await settle()
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh' })
    expect(issuer.calls.check).toBe(0)
  })

  test('accepts an old view only where that was named', async () => {
    const issuer = new Issuer(signingKey)
    issuer.onFeed = fail
    const verifier = issuer.httpVerifier({ onUnavailable: 'accept-stale' })
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'stale', viewAgeMs: null })
  })

  test('live is refused when the verifier is built, and at a call', async () => {
    const issuer = new Issuer(signingKey)
    expect(() => issuer.httpVerifier({ freshness: 'live' })).toThrow(/^freshness: .*binding/)
    const verifier = issuer.httpVerifier()
    await expect(verifier.verifyToken(await issuer.token(), { freshness: 'live' })).rejects.toThrow(TypeError)
  })

  test('a token from before a new epoch cannot be judged: 503', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.httpVerifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.advance(6000)
    issuer.newEpoch('00000000000000e2')
    expect(await codeOf(verifier.verifyToken(token))).toBe('verifier_unavailable')
  })
})

describe('an answer with keys', () => {
  const path = '/.well-known/jwks.json'

  test.each<[string, (issuer: Issuer) => Response | Promise<Response>]>([
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example/jwks.json' } })],
    ['an error', (issuer) => new Response(keySet(issuer), { status: 500, headers: json })],
    ['206', (issuer) => new Response(keySet(issuer), { status: 206, headers: json })],
    ['HTML', (issuer) => new Response(keySet(issuer), { headers: { 'content-type': 'text/html' } })],
    ['no type', (issuer) => new Response(new TextEncoder().encode(keySet(issuer)))],
    ['bytes', (issuer) => new Response(keySet(issuer), { headers: { 'content-type': 'application/octet-stream' } })],
    ['no body', () => new Response(null, { headers: json })],
    ['no JSON', () => new Response('{"keys":[', { headers: json })],
    ['a list', () => new Response('[]', { headers: json })],
    ['null', () => new Response('null', { headers: json })],
    ['no list of keys', () => new Response('{"keys":{}}', { headers: json })],
    ['two lists of keys', (issuer) => new Response(keySet(issuer).replace('{', '{"keys":[],'), { headers: json })],
    ['more than 64 KiB', (issuer) => new Response(JSON.stringify({ keys: issuer.keys, more: 'a'.repeat(65_536) }), { headers: json })],
    ['only white space, 100 KiB', () => new Response(' '.repeat(100_000), { headers: json })],
    ['a failed request', fail],
  ])('that is %s is none: 503, and nothing is accepted', async (_name, answer) => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.httpVerifier({ freshness: 'offline', fetch: instead(issuer, path, () => answer(issuer)) })
    await expect(verifier.verifyToken(await issuer.token())).rejects.toMatchObject({ code: 'verifier_unavailable' })
  })

  test.each(['application/json', 'application/jwk-set+json', 'Application/JSON; charset=utf-8'])('may have the type %s', async (type) => {
    const issuer = new Issuer(signingKey)
    const answer = () => new Response(keySet(issuer), { headers: { 'content-type': type } })
    const verifier = issuer.httpVerifier({ freshness: 'offline', fetch: instead(issuer, path, answer) })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('accepted')
  })

  test('that never comes, or never ends, holds nobody up for more than two seconds', async () => {
    const issuer = new Issuer(signingKey)
    const endless = () => new Response(new ReadableStream({ pull: forever }), { headers: json })
    const started = Date.now()
    const codes = [() => forever(), endless].map(async (answer) =>
      codeOf(issuer.httpVerifier({ freshness: 'offline', fetch: instead(issuer, path, answer) }).verifyToken(await issuer.token())),
    )
    expect(await Promise.all(codes)).toEqual(['verifier_unavailable', 'verifier_unavailable'])
    expect(Date.now() - started).toBeLessThan(3000)
  })

  test('a body without an end is given up at the limit', async () => {
    const issuer = new Issuer(signingKey)
    let sent = 0
    const chunk = new Uint8Array(16_384).fill(0x20)
    const flood = () =>
      new Response(
        new ReadableStream({
          pull(controller) {
            sent += chunk.length
            controller.enqueue(chunk)
          },
        }),
        { headers: json },
      )
    const verifier = issuer.httpVerifier({ freshness: 'offline', fetch: instead(issuer, path, flood) })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('verifier_unavailable')
    expect(sent).toBeLessThan(200_000)
  })
})

describe('an answer of the feed', () => {
  const bytes = { 'content-type': 'application/octet-stream' }
  const feedOf = async (issuer: Issuer) => (await issuer.revocations(null)).slice()

  test.each<[string, (issuer: Issuer) => Promise<Response>]>([
    ['a redirect', async () => new Response(null, { status: 307, headers: { location: 'https://evil.example/' } })],
    ['an error', async (issuer) => new Response(await feedOf(issuer), { status: 503, headers: bytes })],
    ['text', async (issuer) => new Response(await feedOf(issuer), { headers: { 'content-type': 'text/plain' } })],
    ['garbage', async () => new Response(crypto.getRandomValues(new Uint8Array(500)), { headers: bytes })],
    ['cut short', async (issuer) => new Response((await feedOf(issuer)).slice(0, -1), { headers: bytes })],
    ['nothing', async () => new Response(new Uint8Array(0), { headers: bytes })],
    ['more than 16 MiB', async () => new Response(new Uint8Array(17_000_000), { headers: bytes })],
    ['a failed request', fail],
  ])('that is %s is none: 503, and nothing is accepted', async (_name, answer) => {
    const issuer = new Issuer(signingKey)
    issuer.deny({ kind: 'sid', id: 'session-9', end: end(issuer) })
    const verifier = issuer.httpVerifier({ fetch: instead(issuer, '/revocations', () => answer(issuer)) })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('verifier_unavailable')
  })
})

describe('given keys', () => {
  test('are used, and none is fetched', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.httpVerifier({ jwks: { keys: [signingKey.jwk] } })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('accepted')
    expect(await codeOf(verifier.verifyToken(await new Issuer(await makeKey('k2')).token()))).toBe('token_invalid')
    expect(issuer.calls.jwks).toBe(0)
  })

  test('are used with a binding too', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ jwks: { keys: [signingKey.jwk] }, freshness: 'live' })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('accepted')
    expect(issuer.calls).toMatchObject({ jwks: 0, check: 1 })
  })

  test.each([{}, { keys: [] }, { keys: 'k1' }])('%j stops the start', (jwks) => {
    expect(() => createVerifier({ issuer: ISSUER, audience: ISSUER, ...{ jwks: Object.assign({ keys: [] }, jwks) } })).toThrow(/^jwks:/)
  })
})
