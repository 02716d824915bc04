import { describe, expect, test } from 'vitest'
import { decodeFeed, encodeFeed, encodeSegments } from '../../src/protocol/feed.ts'
import { DenialView } from '../../src/sdk/denial-view.ts'
import { codeOf, Issuer, makeKey, START } from './issuer.ts'

const EPOCH = '0000000000000001'
const T = START * 1000

/** An answer with this asOf, asked for at `startedMs`: the view after it. */
function tell(view: DenialView, startedMs: number, asOf: number): void {
  const header = { snapshot: view.cursor === null, epoch: EPOCH, epochStart: 0, asOf, sequence: 1, key: new Uint8Array(16) }
  expect(view.apply(decodeFeed(encodeFeed(header, [])), startedMs, view.cursor)).toBe('applied')
}

function viewAt(startedMs: number): DenialView {
  const view = new DenialView()
  tell(view, startedMs, startedMs)
  return view
}

describe('a larger offset between the clocks', () => {
  const D = 60_000

  test('is believed after three answers that agree: one of the clocks was set', () => {
    const view = viewAt(T)
    for (const at of [1000, 2000]) {
      tell(view, T + D + at, T + at)
      expect(view.ageMs(T + D + at)).toBe(D)
    }
    tell(view, T + D + 3000, T + 3000)
    expect(view.ageMs(T + D + 3000)).toBe(0)
    tell(view, T + D + 4000, T + 4000)
    expect(view.ageMs(T + D + 4000)).toBe(0)
  })

  test('is not believed while asOf stands still: the answers come from a cache', () => {
    const view = viewAt(T)
    for (let at = D; at < D + 20_000; at += 100) {
      tell(view, T + at, T)
      expect(view.ageMs(T + at)).toBe(at)
    }
  })

  test('is not believed of a cache that is renewed behind our back, each time with what was asked for last', () => {
    const view = viewAt(T)
    let before = T
    for (const pause of [10_000, 10_000, 10_000, 10_000, 400, 10_000, 400, 10_000]) {
      const at = before + pause
      tell(view, at, before)
      expect(view.ageMs(at)).toBe(pause)
      before = at
    }
  })

  test('is not believed of a cache that is renewed every ten seconds', () => {
    const view = viewAt(T)
    for (let at = 1000; at < 60_000; at += 400) {
      tell(view, T + at, T + Math.floor(at / 10_000) * 10_000)
      expect(view.ageMs(T + at)).toBe(at % 10_000)
    }
  })

  test('is not believed when the answers do not agree', () => {
    const view = viewAt(T)
    for (let i = 1; i < 30; i++) {
      const at = T + D + i * 1000
      tell(view, at, T + i * 1000 - (i % 2) * 2000)
      expect(view.ageMs(at)).toBeGreaterThanOrEqual(D)
    }
  })

  test('is not believed when the answers lie far apart', () => {
    const view = viewAt(T)
    for (let i = 1; i < 10; i++) {
      tell(view, T + D + i * 2001, T + i * 2001)
      expect(view.ageMs(T + D + i * 2001)).toBe(D)
    }
  })

  test('is forgotten as soon as an answer agrees with what was known', () => {
    const view = viewAt(T)
    tell(view, T + 3000 + 1000, T + 1000)
    tell(view, T + 3000 + 2000, T + 2000)
    tell(view, T + 6000, T + 6000)
    expect(view.ageMs(T + 6000)).toBe(0)
    tell(view, T + 7000 + 3000, T + 7000)
    expect(view.ageMs(T + 10_000)).toBe(3000)
  })
})

describe('a verifier', () => {
  /** Time goes on while the feed is asked. */
  async function running() {
    const issuer = new Issuer(await makeKey('k1'))
    issuer.header.epochStart = 0
    issuer.onFeed = async () => issuer.advance(400)
    return { issuer, verifier: issuer.httpVerifier(), token: await issuer.token({ exp: issuer.now + 300 }) }
  }

  test('whose list was set back is fresh again after one request, without a restart', async () => {
    const { issuer, verifier, token } = await running()
    await verifier.verifyToken(token)
    issuer.advance(6000)
    issuer.feedDelayMs = 3_600_000
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh' })
  })

  test('whose own clock was set forward is fresh again after one request', async () => {
    const { issuer, verifier, token } = await running()
    await verifier.verifyToken(token)
    // The list's clock stays behind by as much as the verifier's went ahead.
    issuer.advance(30_000)
    issuer.feedDelayMs = 30_000
    expect(await verifier.verifyToken(token)).toMatchObject({ freshness: 'fresh' })
  })

  test('whose feed is stuck is not', async () => {
    const { issuer, verifier, token } = await running()
    await verifier.verifyToken(token)
    const stuck = issuer.nowMs
    issuer.advance(6000)
    issuer.onFeed = async () => {
      issuer.advance(400)
      issuer.feedDelayMs = issuer.nowMs - stuck
    }
    issuer.feedDelayMs = issuer.nowMs - stuck
    await expect(verifier.verifyToken(token)).rejects.toMatchObject({ code: 'verifier_unavailable' })
  })
})

test('a denial that comes while the own clock is far ahead is known when the clock is right again', () => {
  const view = viewAt(T)
  const header = { snapshot: false, epoch: EPOCH, epochStart: 0, asOf: T + 1000, sequence: 2, key: new Uint8Array(16) }
  const segments = [encodeSegments(header.key, [{ kind: 'kid', id: 'stolen', end: START + 320 }])]
  expect(view.apply(decodeFeed(encodeFeed(header, segments)), T + 3_600_000, view.cursor, false)).toBe('applied')
  expect(view.deniesKey('stolen', START + 2)).toBe(true)
  expect(view.deniesKey('stolen', START + 321)).toBe(false)
})

// A laptop that sleeps, a machine that is moved: what was asked for before comes an hour later. The list has forgotten by then.
describe('a verifier whose process slept', () => {
  const HOUR = 3_600_000

  test.each(['onJwks', 'onFeed', 'onCheck'] as const)('in %s accepts nothing that has expired meanwhile', async (place) => {
    const issuer = new Issuer(await makeKey('k1'))
    const verifier = issuer.verifier({ freshness: place === 'onCheck' ? 'live' : 'fresh' })
    const token = await issuer.token()
    const sleep = async (): Promise<void> => issuer.advance(HOUR)
    if (place === 'onCheck') {
      issuer.onCheck = async () => {
        await sleep()
        return { active: true }
      }
    } else issuer[place] = sleep
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_expired')
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_expired')
  })
})
