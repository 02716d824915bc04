import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimsAt, codeOf, makeKey, signToken } from '../issuer.ts'
import { FakeIssuer } from './fake-issuer.ts'

const signingKey = await makeKey('k1')
const nextKey = await makeKey('k2', 'EdDSA')
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const END = (): number => Math.floor(Date.now() / 1000) + 310
/** Bounds short enough for a test to outlive. */
const quick = { freshFor: 50, staleAfter: 800 }
const pastTheBound = (): Promise<void> => wait(quick.staleAfter + 1)

let issuer: FakeIssuer
beforeEach(async () => {
  issuer = await new FakeIssuer(signingKey).start()
})
afterEach(() => issuer.stop())

test('a token is verified, and refused once the list denies it', async () => {
  const verifier = issuer.verifier(quick)
  const token = await issuer.token()
  expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh', cursor: '00000000000000e1.0' })
  issuer.list.deny({ kind: 'sid', id: 'session-1', end: END() })
  await pastTheBound()
  expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
})

test('the issuer down: verified tokens pass within the bound, then 503; after it is back, the service is', async () => {
  const verifier = issuer.verifier(quick)
  const token = await issuer.token()
  await verifier.verifyToken(token)
  await issuer.stop()
  expect(await codeOf(verifier.verifyToken(token))).toBe('accepted')
  await pastTheBound()
  expect(await codeOf(verifier.verifyToken(token))).toBe('verifier_unavailable')
  expect(await codeOf(verifier.verifyToken(token, { freshness: 'offline' }))).toBe('accepted')
  issuer.list.deny({ kind: 'jti', id: 'another', end: END() })
  await issuer.start()
  await expect.poll(() => codeOf(verifier.verifyToken(token)), { timeout: 5000 }).toBe('accepted')
  expect((await verifier.verifyToken(token)).cursor).toBe('00000000000000e1.1')
})

test('a partition of the feed alone: refusal past the bound however many ask, recovery after it, and what was denied meanwhile is', async () => {
  const verifier = issuer.verifier(quick)
  const [token, ended] = [await issuer.token(), await issuer.token({ sid: 'session-2' })]
  await verifier.verifyToken(token)
  await verifier.verifyToken(ended)
  issuer.lie = (request) => request.url?.startsWith('/revocations') ?? false
  issuer.list.deny({ kind: 'sid', id: 'session-2', end: END() })
  await pastTheBound()
  const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(verifier.verifyToken(token))))
  expect(new Set(codes)).toEqual(new Set(['verifier_unavailable']))
  issuer.lie = () => false
  await expect.poll(() => codeOf(verifier.verifyToken(token)), { timeout: 5000 }).toBe('accepted')
  expect(await codeOf(verifier.verifyToken(ended))).toBe('token_revoked')
})

test('an unknown-kid flood of 100,000 tokens costs at most one fetch per cooldown', async () => {
  const verifier = issuer.verifier({ freshness: 'offline', memory: 0 })
  await verifier.verifyToken(await issuer.token())
  const [, payload, signature] = (await issuer.token()).split('.')
  const before = issuer.requests.jwks
  const started = Date.now()
  let refused = 0
  for (let batch = 0; batch < 100; batch++) {
    const attempts = Array.from({ length: 1000 }, (_, i) => {
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: `u${batch * 1000 + i}`, typ: 'at+jwt' })).toString('base64url')
      return codeOf(verifier.verifyToken(`${header}.${payload}.${signature}`))
    })
    for (const code of await Promise.all(attempts)) if (code === 'token_invalid') refused++
  }
  const cooldowns = Math.ceil((Date.now() - started) / 1000)
  expect(refused).toBe(100_000)
  expect(issuer.requests.jwks - before).toBeLessThanOrEqual(cooldowns + 1)
}, 60_000)

describe('rotation', () => {
  test('a new key is accepted, and the old one as long as it is published', async () => {
    const verifier = issuer.verifier({ freshness: 'offline', keyCooldown: 50 })
    const old = await issuer.token()
    await verifier.verifyToken(old)
    issuer.list.keys = [signingKey.jwk, nextKey.jwk]
    const now = Math.floor(Date.now() / 1000)
    const claims = claimsAt(now, { iss: issuer.origin, aud: issuer.origin })
    await wait(60)
    const next = await signToken(nextKey, { alg: 'EdDSA', kid: 'k2', typ: 'at+jwt' }, claims, 'EdDSA')
    expect(await codeOf(verifier.verifyToken(next))).toBe('accepted')
    expect(await codeOf(verifier.verifyToken(old))).toBe('accepted')
  })

  test('an emergency: a denied key is refused within the bound, whatever keys are cached', async () => {
    const verifier = issuer.verifier(quick)
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.list.deny({ kind: 'kid', id: 'k1', end: END() + 3600 })
    await pastTheBound()
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('token_revoked')
    expect(issuer.requests.jwks).toBe(1)
  })
})

describe('an issuer that lies', () => {
  const isFeed = (url: string | undefined): boolean => url?.startsWith('/revocations') ?? false

  test.each<[string, (issuer: FakeIssuer) => FakeIssuer['lie']]>([
    ['redirects to another server', () => (_request, response) => !!response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
    ['redirects to itself', () => (request, response) => !!response.writeHead(307, { location: `${request.url}#` }).end()],
    ['sends HTML', () => (_request, response) => !!response.setHeader('content-type', 'text/html').end('<h1>503</h1>')],
    [
      'sends 10 MB',
      () => (request, response) => {
        const type = isFeed(request.url) ? 'application/octet-stream' : 'application/json'
        return !!response.setHeader('content-type', type).end(Buffer.alloc(isFeed(request.url) ? 20_000_000 : 10_000_000, ' '))
      },
    ],
    ['sends garbage', () => (_request, response) => !!response.setHeader('content-type', 'application/octet-stream').end('garbage')],
    ['hangs up', () => (request) => !!request.socket.destroy()],
    ['answers 500', () => (_request, response) => !!response.writeHead(500).end()],
  ])('and %s gets nothing accepted', async (_name, lie) => {
    issuer.lie = lie(issuer)
    const verifier = issuer.verifier(quick)
    const token = await issuer.token()
    for (const freshness of ['offline', 'fresh'] as const) {
      expect(await codeOf(verifier.verifyToken(token, { freshness }))).toBe('verifier_unavailable')
    }
    issuer.lie = () => false
    await expect.poll(() => codeOf(verifier.verifyToken(token)), { timeout: 5000 }).toBe('accepted')
  })

  test('and is slow, a byte at a time, holds nobody up', async () => {
    issuer.lie = (_request, response) => {
      response.setHeader('content-type', 'application/json')
      const timer = setInterval(() => response.write(' '), 50)
      response.on('close', () => clearInterval(timer))
      return true
    }
    const started = Date.now()
    const verifier = issuer.verifier(quick)
    const token = await issuer.token()
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(verifier.verifyToken(token))))
    expect(new Set(codes)).toEqual(new Set(['verifier_unavailable']))
    expect(Date.now() - started).toBeLessThan(6000)
  })

  test('and sends an old sequence is asked for a snapshot; what was denied stays denied, and older tokens are not trusted', async () => {
    const verifier = issuer.verifier(quick)
    const [token, ended] = [await issuer.token({ sid: 'session-3' }), await issuer.token()]
    issuer.list.deny({ kind: 'sid', id: 'session-1', end: END() })
    await verifier.verifyToken(token)
    issuer.list.rollBack(0)
    await pastTheBound()
    expect(await codeOf(verifier.verifyToken(token))).toBe('verifier_unavailable')
    expect(await codeOf(verifier.verifyToken(ended))).toBe('token_revoked')
    expect(issuer.list.asked.at(-1)).not.toBe('00000000000000e1.1')
  })

  test('and whose clock is set back or forward is believed again within seconds', async () => {
    const verifier = issuer.verifier(quick)
    const token = await issuer.token()
    await verifier.verifyToken(token)
    for (const clockMs of [-3_600_000, 7_200_000, -20_000]) {
      issuer.clockMs = clockMs
      await pastTheBound()
      await expect.poll(() => codeOf(verifier.verifyToken(token)), { timeout: 4000 }).toBe('accepted')
    }
  })
})
