import { describe, expect, test } from 'vitest'
import { viewPoll } from '../../src/sdk/view-poll.ts'
import { codeOf, end, fail, forever, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('fresh', () => {
  test('uses a view of up to one second without asking', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.advance(1000)
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh', viewAgeMs: 1000 })
    expect(issuer.calls).toEqual({ jwks: 1, feed: 1, check: 0 })
  })

  test('refreshes an older view in the background, once, and answers at once', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.advance(1001)
    issuer.onFeed = settle
    const work: Promise<unknown>[] = []
    const waitUntil = (promise: Promise<unknown>): void => void work.push(promise)
    for (let i = 0; i < 20; i++) expect(await verifier.verifyToken(token, { waitUntil })).toMatchObject({ viewAgeMs: 1001 })
    expect(work).toHaveLength(1)
    await Promise.all(work)
    expect(await verifier.verifyToken(token)).toMatchObject({ viewAgeMs: 0 })
    expect(issuer.calls.feed).toBe(2)
    expect(issuer.asked).toEqual([null, '00000000000000e1.0'])
  })

  test('asks once a second also after an answer that was long on its way', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    // The list answers 400 ms after it was asked; and then at once, which looks like an answer that is 400 ms old.
    issuer.feedDelayMs = -400
    await verifier.verifyToken(token)
    issuer.feedDelayMs = 0
    for (let ms = 0; ms < 5000; ms += 100) {
      issuer.advance(100)
      await verifier.verifyToken(token)
      await settle()
    }
    expect(issuer.calls.feed).toBe(1 + 4)
  })

  test('waits for a new view past five seconds, and refuses by it', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
    issuer.advance(5001)
    issuer.onFeed = settle
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(verifier.verifyToken(token))))
    expect(new Set(codes)).toEqual(new Set(['token_revoked']))
    expect(issuer.calls).toEqual({ jwks: 1, feed: 2, check: 0 })
  })

  test('never relies on a view past the bound, whatever the route of the answer', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.advance(10_000)
    issuer.feedDelayMs = 6000
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live' })
    expect(issuer.calls.check).toBe(1)
  })

  test('tells outdated from revoked', async () => {
    const issuer = new Issuer(signingKey)
    const token = await issuer.token()
    issuer.deny({ kind: 'sub', id: 'account-1', ver: 4, end: end(issuer) })
    expect(await codeOf(issuer.verifier().verifyToken(token))).toBe('token_outdated')
    issuer.deny({ kind: 'jti', id: 'x', end: end(issuer) }, { kind: 'sid', id: 'session-1', end: end(issuer) })
    expect(await codeOf(issuer.verifier().verifyToken(token))).toBe('token_revoked')
  })

  test('asks live for this token when the feed fails, and keeps the answer within the bound', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const [token, other] = [await issuer.token(), await issuer.token()]
    issuer.onFeed = fail
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live', viewAgeMs: 0, cursor: null })
    issuer.advance(5000)
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live', viewAgeMs: 5000 })
    expect(issuer.calls.check).toBe(1)
    await verifier.verifyToken(other)
    expect(issuer.calls.check).toBe(2)
    issuer.advance(1)
    await verifier.verifyToken(token)
    expect(issuer.calls.check).toBe(3)
  })

  test.each([
    ['outdated', 'token_outdated'],
    ['revoked', 'token_revoked'],
  ] as const)('refuses a token that is found %s live', async (error, code) => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    issuer.onFeed = fail
    issuer.onCheck = async () => ({ active: false, error })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe(code)
  })

  test('refuses by an old view what it denies, even when nothing can be asked', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
    await codeOf(verifier.verifyToken(await issuer.token()))
    issuer.advance(60_000)
    issuer.onFeed = fail
    issuer.onCheck = fail
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('token_revoked')
  })

  test('is unavailable when neither the feed nor the issuer answers', async () => {
    const issuer = new Issuer(signingKey)
    issuer.onFeed = fail
    issuer.onCheck = fail
    expect(await codeOf(issuer.verifier().verifyToken(await issuer.token()))).toBe('verifier_unavailable')
  })

  test('accepts an old view only when that was named', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ onUnavailable: 'accept-stale' })
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.advance(30_000)
    issuer.onFeed = fail
    issuer.onCheck = fail
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'stale', viewAgeMs: 30_000 })
    issuer.onCheck = async () => ({ active: false, error: 'revoked' })
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    issuer.onCheck = fail
    issuer.onJwks = fail
    expect(await codeOf(issuer.verifier({ onUnavailable: 'accept-stale' }).verifyToken(token))).toBe('verifier_unavailable')
  })

  test('tries a failing feed once a second, and nobody waits for it', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    issuer.onFeed = fail
    for (let i = 0; i < 20; i++) await verifier.verifyToken(token)
    expect(issuer.calls.feed).toBe(1)
    issuer.advance(1000)
    issuer.onFeed = async () => {}
    for (let i = 0; i < 20; i++) await verifier.verifyToken(token)
    expect(issuer.calls.feed).toBe(2)
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh' })
  })

  test('asks live for tokens from before a new epoch, and refuses what the old one denied', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const [token, ended] = [await issuer.token(), await issuer.token({ sid: 'session-2' })]
    issuer.deny({ kind: 'sid', id: 'session-2', end: end(issuer) })
    await verifier.verifyToken(token)
    issuer.advance(6000)
    issuer.newEpoch('00000000000000e2')
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'live', cursor: '00000000000000e2.0' })
    expect(await codeOf(verifier.verifyToken(ended))).toBe('token_revoked')
    issuer.onCheck = fail
    expect(await codeOf(verifier.verifyToken(await issuer.token({ iat: issuer.now - 10, exp: issuer.now + 10 })))).toBe(
      'verifier_unavailable',
    )
    issuer.advance(1000)
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh' })
  })

  test('asks for a snapshot when the list has gone back', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier()
    const token = await issuer.token()
    issuer.deny({ kind: 'jti', id: 'a', end: end(issuer) })
    issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
    await codeOf(verifier.verifyToken(token))
    issuer.rollBack(1)
    issuer.advance(6000)
    expect(await codeOf(verifier.verifyToken(await issuer.token({ sid: 'session-3' })))).toBe('accepted')
    expect(issuer.asked).toEqual([null, '00000000000000e1.2', null])
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    expect(issuer.calls.check).toBe(1)
  })

  test('ignores an answer that is no feed', async () => {
    const issuer = new Issuer(signingKey)
    const answers: unknown[] = ['text', null, new Uint8Array(3), { ok: true }]
    for (const answer of answers) {
      const binding = Object.assign(Object.create(issuer), { revocations: async () => answer })
      const verifier = issuer.verifier({ binding })
      expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'live' })
    }
  })

  test('takes an ArrayBuffer as well as bytes', async () => {
    const issuer = new Issuer(signingKey)
    const revocations = async (after: string | null) => (await issuer.revocations(after)).slice().buffer
    const verifier = issuer.verifier({ binding: Object.assign(Object.create(issuer), { revocations }) })
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh' })
  })
})

describe('a refresh whose request was cancelled', () => {
  const pollOf = (issuer: Issuer) => viewPoll(issuer, { nowMs: () => issuer.nowMs, freshFor: 1000, staleAfter: 5000, flightTimeout: 30 })

  test('holds up nobody for longer than the limit, and not those who come later', async () => {
    const issuer = new Issuer(signingKey)
    const poll = pollOf(issuer)
    issuer.onFeed = forever
    expect(await poll.becomesCurrent()).toBe(false)
    issuer.onFeed = async () => {}
    issuer.advance(1000)
    expect(await poll.becomesCurrent()).toBe(false)
    await settle()
    expect(poll.isCurrent(issuer.nowMs)).toBe(true)
    expect(issuer.calls.feed).toBe(2)
  })

  test('may still end, and then undoes nothing that came after it', async () => {
    const issuer = new Issuer(signingKey)
    const poll = pollOf(issuer)
    let release = (): void => {}
    issuer.onFeed = () => new Promise((resolve) => (release = resolve))
    await poll.becomesCurrent()
    issuer.newEpoch('00000000000000e2')
    issuer.onFeed = async () => {}
    issuer.advance(1000)
    await poll.becomesCurrent()
    await settle()
    expect(poll.view.cursorText).toBe('00000000000000e2.0')
    release()
    await settle()
    expect(poll.view.cursorText).toBe('00000000000000e2.0')
    expect(poll.isCurrent(issuer.nowMs)).toBe(true)
  })

  test('is used when it ends late and nothing came after it', async () => {
    const issuer = new Issuer(signingKey)
    const poll = pollOf(issuer)
    let release = (): void => {}
    issuer.onFeed = () => new Promise((resolve) => (release = resolve))
    expect(await poll.becomesCurrent()).toBe(false)
    release()
    await settle()
    expect(poll.isCurrent(issuer.nowMs)).toBe(true)
  })
})

describe('live', () => {
  test('asks each time, and refuses on the next request', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live' })
    const token = await issuer.token()
    for (let i = 1; i <= 3; i++) {
      await verifier.verifyToken(token)
      expect(issuer.calls.check).toBe(i)
    }
    issuer.onCheck = async () => ({ active: false, error: 'revoked' })
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    issuer.onCheck = async () => ({ active: false, error: 'outdated' })
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_outdated')
  })

  test('is unavailable when the issuer cannot be asked, whatever was said before', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live', onUnavailable: 'accept-stale' })
    const token = await issuer.token()
    await verifier.verifyToken(token)
    issuer.onCheck = fail
    expect(await codeOf(verifier.verifyToken(token))).toBe('verifier_unavailable')
  })

  test('is unavailable when the issuer does not answer in time', async () => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live' })
    issuer.onCheck = forever
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('verifier_unavailable')
  })

  test.each([undefined, null, {}, { active: 'true' }, { active: 1 }, 'active'])('the answer %j is none', async (answer) => {
    const issuer = new Issuer(signingKey)
    const verifier = issuer.verifier({ freshness: 'live', binding: Object.assign(Object.create(issuer), { check: async () => answer }) })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('verifier_unavailable')
  })

  test('refuses an answer of another kind as revoked', async () => {
    const issuer = new Issuer(signingKey)
    const check = async () => ({ active: false })
    const verifier = issuer.verifier({ freshness: 'live', binding: Object.assign(Object.create(issuer), { check }) })
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('token_revoked')
  })

  test('does not ask about a token that is not good', async () => {
    const issuer = new Issuer(signingKey)
    const token = await issuer.token({ aud: 'https://other.example' })
    expect(await codeOf(issuer.verifier({ freshness: 'live' }).verifyToken(token))).toBe('token_invalid')
    expect(issuer.calls.check).toBe(0)
  })
})

describe('keys for signers', () => {
  test('are good or denied by the list, and unknown while it cannot be had', async () => {
    const issuer = new Issuer(signingKey)
    issuer.deny({ kind: 'kid', id: 'k1', end: end(issuer) })
    const verifier = issuer.verifier()
    expect(await verifier.keyStatus('k1')).toBe('denied')
    expect(await verifier.keyStatus('k2')).toBe('good')
    issuer.onFeed = fail
    issuer.advance(6000)
    expect(await verifier.keyStatus('k1')).toBe('denied')
    expect(await verifier.keyStatus('k2')).toBe('unknown')
  })
})
