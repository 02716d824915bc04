import { describe, expect, test } from 'vitest'
import { type Denial, EVERY_IAT } from '../../src/protocol/denial.ts'
import { decodeFeed, encodeFeed, encodeSegments, type FeedDecoding, type FeedHeader } from '../../src/protocol/feed.ts'
import { checkClaims } from '../../src/sdk/check-claims.ts'
import { DenialTable } from '../../src/sdk/denial-table.ts'
import { DenialView } from '../../src/sdk/denial-view.ts'
import { type KnownToken, knownToken } from '../../src/sdk/known-token.ts'
import { importVerificationKey } from '../../src/sdk/verify-signature.ts'
import { claimsAt, ISSUER, makeKey, START } from './issuer.ts'

const key = await importVerificationKey((await makeKey('k1')).jwk)
const END = START + 310
const E1 = '0000000000000001'
const E2 = '0000000000000002'

function token(more: Record<string, unknown> = {}): KnownToken {
  const claims = claimsAt(START, { jti: 'j', grant_id: 'g', ...more })
  const check = checkClaims(claims, { issuer: ISSUER, audiences: [ISSUER], clockTolerance: 0, maxLifetime: 300 }, START)
  if (!check.ok || key === null) throw new Error('no token')
  return knownToken(check.claims, key)
}

const keyOf = (epoch: string): Uint8Array => new Uint8Array(16).fill(Number.parseInt(epoch, 16))

function feed(header: Partial<FeedHeader>, denials: readonly Denial[] = []): FeedDecoding {
  const epoch = header.epoch ?? E1
  const whole = { snapshot: false, epoch, epochStart: (START - 100) * 1000, asOf: START * 1000, sequence: 1, key: keyOf(epoch), ...header }
  return decodeFeed(encodeFeed(whole, [encodeSegments(whole.key, denials)]))
}

/** A view that has seen one snapshot. */
function viewOf(...denials: Denial[]): DenialView {
  const view = new DenialView()
  expect(view.apply(feed({ snapshot: true }, denials), START * 1000, null)).toBe('applied')
  return view
}

describe('a token is checked by each of its ids', () => {
  test.each<[string, Denial, Record<string, unknown>, string]>([
    ['its jti', { kind: 'jti', id: 'j', end: END }, {}, 'revoked'],
    ['another jti', { kind: 'jti', id: 'k', end: END }, {}, 'clean'],
    ['its session', { kind: 'sid', id: 'session-1', end: END }, {}, 'revoked'],
    ['a session, without one', { kind: 'sid', id: 'session-1', end: END }, { sid: undefined }, 'clean'],
    ['its grant', { kind: 'grant_id', id: 'g', end: END }, {}, 'revoked'],
    ['a grant, without one', { kind: 'grant_id', id: 'g', end: END }, { grant_id: undefined }, 'clean'],
    ['its key', { kind: 'kid', id: 'k1', end: END }, {}, 'revoked'],
    ['its jti as a session', { kind: 'sid', id: 'j', end: END }, {}, 'clean'],
    ['its client, disabled', { kind: 'client_id', id: 'first-party', not_after_iat: EVERY_IAT, end: END }, {}, 'revoked'],
    ['its client up to its iat', { kind: 'client_id', id: 'first-party', not_after_iat: START, end: END }, {}, 'revoked'],
    ['its client before its iat', { kind: 'client_id', id: 'first-party', not_after_iat: START - 1, end: END }, {}, 'clean'],
    ['a higher version', { kind: 'sub', id: 'account-1', ver: 4, end: END }, {}, 'outdated'],
    ['its own version', { kind: 'sub', id: 'account-1', ver: 3, end: END }, {}, 'clean'],
    ['another account', { kind: 'sub', id: 'account-2', ver: 9, end: END }, {}, 'clean'],
    ['an id that is not ASCII', { kind: 'sid', id: 'sitzung-ü', end: END }, { sid: 'sitzung-ü' }, 'revoked'],
  ])('%s', (_name, denial, more, verdict) => {
    expect(viewOf(denial).check(token(more), START)).toBe(verdict)
  })

  test('revoked wins over outdated', () => {
    const outdated: Denial = { kind: 'sub', id: 'account-1', ver: 4, end: END }
    const revoked: Denial = { kind: 'sid', id: 'session-1', end: END }
    expect(viewOf(outdated, revoked).check(token(), START)).toBe('revoked')
    expect(viewOf(revoked, outdated).check(token(), START)).toBe('revoked')
  })

  test('a denial is forgotten after its end', () => {
    const view = viewOf({ kind: 'sid', id: 'session-1', end: END })
    expect(view.check(token(), END)).toBe('revoked')
    expect(view.check(token(), END + 1)).toBe('clean')
  })

  test('a denied key is known as such to signers', () => {
    const view = viewOf({ kind: 'kid', id: 'k1', end: END })
    expect(view.deniesKey('k1', START)).toBe(true)
    expect(view.deniesKey('k1', END + 1)).toBe(false)
    expect(view.deniesKey('k2', START)).toBe(false)
  })
})

describe('changes', () => {
  const cursor = { epoch: E1, sequence: 1 }

  test('are added to what is known, also for a token that was found clean before', () => {
    const view = viewOf({ kind: 'jti', id: 'x', end: END })
    const known = token()
    expect(view.check(known, START)).toBe('clean')
    view.apply(feed({ sequence: 2 }, [{ kind: 'sid', id: 'session-1', end: END }]), START * 1000, cursor)
    expect(view.check(known, START)).toBe('revoked')
    expect(view.check(token({ sid: undefined, jti: 'x' }), START)).toBe('revoked')
    expect(view.cursorText).toBe(`${E1}.2`)
  })

  test('merge by highest bound and latest end', () => {
    const sub = (ver: number, end: number): Denial => ({ kind: 'sub', id: 'account-1', ver, end })
    const view = viewOf(sub(5, END))
    view.apply(feed({ sequence: 2 }, [sub(4, END + 100)]), START * 1000, cursor)
    expect(view.check(token({ ver: 4 }), END + 50)).toBe('outdated')
    expect(view.check(token({ ver: 5 }), END + 50)).toBe('clean')
  })

  test('do not revive the bound of a denial that has ended', () => {
    const client = (not_after_iat: number, end: number): Denial => ({ kind: 'client_id', id: 'first-party', not_after_iat, end })
    const view = viewOf(client(EVERY_IAT, START + 10))
    view.apply(feed({ sequence: 2, asOf: (START + 20) * 1000 }, [client(START - 50, END)]), (START + 20) * 1000, cursor)
    expect(view.check(token(), START + 20)).toBe('clean')
  })

  test('to nothing known are refused', () => {
    const view = new DenialView()
    expect(view.apply(feed({}), START * 1000, null)).toBe('malformed')
    expect(view.ageMs(START * 1000)).toBe(Number.POSITIVE_INFINITY)
    const other = viewOf()
    expect(other.apply(feed({ epoch: E2 }), START * 1000, cursor)).toBe('malformed')
    expect(other.apply(feed({}), START * 1000, null)).toBe('malformed')
    expect(other.cursorText).toBe(`${E1}.1`)
  })

  test('that are no feed are refused and change nothing', () => {
    const view = viewOf({ kind: 'sid', id: 'session-1', end: END })
    expect(view.apply(decodeFeed(new Uint8Array(100)), START * 1000, cursor)).toBe('malformed')
    expect(view.check(token(), START)).toBe('revoked')
  })

  test('asked for before a later cursor do not move it back', () => {
    const view = viewOf()
    view.apply(feed({ sequence: 5 }), START * 1000, cursor)
    expect(view.apply(feed({ sequence: 3 }, [{ kind: 'sid', id: 'session-1', end: END }]), START * 1000, cursor)).toBe('applied')
    expect(view.cursorText).toBe(`${E1}.5`)
    expect(view.check(token(), START)).toBe('revoked')
  })
})

describe('a new epoch', () => {
  const E2_START = (START + 100) * 1000

  test('keeps the old denials until they end, and asks live for tokens from before it', () => {
    const view = viewOf({ kind: 'sid', id: 'session-1', end: END })
    const before = { epoch: E1, sequence: 1 }
    view.apply(feed({ snapshot: true, epoch: E2, epochStart: E2_START }, [{ kind: 'jti', id: 'late', end: END }]), E2_START, before)
    expect(view.cursorText).toBe(`${E2}.1`)
    expect(view.check(token(), START + 100)).toBe('revoked')
    expect(view.check(token(), END + 1)).toBe('unsure')
    const old = token({ sid: 'other' })
    expect(view.check(old, START + 100)).toBe('unsure')
    expect(view.check(old, START + 100)).toBe('unsure')
    expect(view.check(token({ sid: 'other', jti: 'late' }), START + 100)).toBe('revoked')
  })

  test('does not ask live for tokens from after it', () => {
    const view = viewOf()
    const claims = (iat: number) => token({ iat, exp: iat + 100 })
    view.apply(feed({ snapshot: true, epoch: E2, epochStart: (START - 50) * 1000 }), START * 1000, { epoch: E1, sequence: 1 })
    expect(view.check(claims(START - 50), START)).toBe('unsure')
    expect(view.check(claims(START - 49), START)).toBe('clean')
  })

  test('says when it began, so that a view that has seen no other asks for older tokens too', () => {
    const view = new DenialView()
    view.apply(feed({ snapshot: true, epochStart: (START + 1) * 1000 }), (START + 2) * 1000, null)
    expect(view.check(token(), START + 2)).toBe('unsure')
  })

  test('that began at zero is the first of its list, and has lost nothing', () => {
    const view = new DenialView()
    view.apply(feed({ snapshot: true, epochStart: 0 }), (START + 2) * 1000, null)
    expect(view.check(token(), START + 2)).toBe('clean')
  })

  test('keeps denials over several epochs', () => {
    const view = viewOf({ kind: 'sid', id: 'session-1', end: END })
    let before = { epoch: E1, sequence: 1 }
    for (const epoch of ['0000000000000002', '0000000000000003', '0000000000000004']) {
      view.apply(feed({ snapshot: true, epoch, epochStart: START * 1000 }), START * 1000, before)
      before = { epoch, sequence: 1 }
    }
    expect(view.check(token(), START)).toBe('revoked')
    expect(view.deniesKey('k1', START)).toBe(false)
  })

  test('is assumed when a sequence falls within one epoch', () => {
    const view = viewOf()
    const cursor = { epoch: E1, sequence: 1 }
    view.apply(feed({ sequence: 9 }, [{ kind: 'sid', id: 'session-1', end: END }]), START * 1000, cursor)
    const lost = view.apply(feed({ sequence: 4 }), START * 1000, { epoch: E1, sequence: 9 })
    expect(lost).toBe('lost')
    expect(view.cursor).toBeNull()
    expect(view.ageMs(START * 1000)).toBe(Number.POSITIVE_INFINITY)
    expect(view.check(token(), START)).toBe('revoked')
    expect(view.apply(feed({ snapshot: true, sequence: 4 }), START * 1000, null)).toBe('applied')
    expect(view.cursorText).toBe(`${E1}.4`)
    expect(view.check(token(), START)).toBe('revoked')
    expect(view.check(token({ sid: 'other' }), START)).toBe('unsure')
  })

  test('is assumed when the key changes within one epoch', () => {
    const view = viewOf({ kind: 'sid', id: 'session-1', end: END })
    const changed = feed({ snapshot: true, sequence: 2, key: keyOf(E2) })
    expect(view.apply(changed, START * 1000, { epoch: E1, sequence: 1 })).toBe('applied')
    expect(view.check(token(), START)).toBe('revoked')
    expect(view.check(token({ sid: 'other' }), START)).toBe('unsure')
  })
})

describe('the age of a view', () => {
  const cursor = { epoch: E1, sequence: 1 }

  test('counts from the start of the request, not from its answer', () => {
    const view = new DenialView()
    expect(view.ageMs(START * 1000)).toBe(Number.POSITIVE_INFINITY)
    view.apply(feed({ snapshot: true, asOf: START * 1000 + 700 }), START * 1000, null)
    expect(view.ageMs(START * 1000 + 900)).toBe(900)
  })

  test('does not need the clocks to agree', () => {
    const view = new DenialView()
    view.apply(feed({ snapshot: true, asOf: START * 1000 - 86_400_000 }), START * 1000, null)
    expect(view.ageMs(START * 1000)).toBe(0)
  })

  test('grows by what an answer spent in a cache', () => {
    const view = viewOf()
    const later = START * 1000 + 10_000
    view.apply(feed({ asOf: later - 4000 }), later, cursor)
    expect(view.ageMs(later)).toBe(4000)
    view.apply(feed({ asOf: later + 1000 }), later + 1000, cursor)
    expect(view.ageMs(later + 1000)).toBe(0)
  })

  test('is not raised by an answer that is older than what is known', () => {
    const view = viewOf()
    view.apply(feed({ asOf: START * 1000 - 4000 }), START * 1000 + 500, cursor)
    expect(view.ageMs(START * 1000 + 500)).toBe(500)
  })

  test('is unknown after the clock was set back, until the next answer', () => {
    const view = viewOf()
    const back = START * 1000 - 60_000
    expect(view.ageMs(back)).toBe(Number.POSITIVE_INFINITY)
    view.apply(feed({ asOf: START * 1000 + 10 }), back, cursor)
    expect(view.ageMs(back)).toBe(0)
  })
})

describe('the table', () => {
  const random = () => crypto.getRandomValues(new Uint32Array(2))

  test('finds each of 100,000 entries and no other', () => {
    const table = new DenialTable()
    const prefixes = Array.from({ length: 100_000 }, random)
    for (let from = 0; from < prefixes.length; from += 1000) {
      const batch = prefixes.slice(from, from + 1000)
      table.reserve(batch.length, START)
      for (const [hi = 0, lo = 0] of batch) table.add(hi, lo, lo & 1023, END, START)
    }
    expect(prefixes.every(([hi = 0, lo = 0]) => table.boundOf(hi, lo, START) === (lo & 1023))).toBe(true)
    expect(Array.from({ length: 10_000 }, random).some(([hi = 0, lo = 0]) => table.boundOf(hi, lo, START) !== -1)).toBe(false)
    expect(table.size).toBe(100_000)
  })

  test('tells apart entries that share a slot or half a prefix', () => {
    const table = new DenialTable()
    table.reserve(4, START)
    table.add(1, 64, 10, END, START)
    table.add(2, 64, 20, END, START)
    table.add(1, 128, 30, END, START)
    table.add(0xffff_ffff, 0xffff_ffff, 40, END, START)
    expect([table.boundOf(1, 64, START), table.boundOf(2, 64, START), table.boundOf(1, 128, START)]).toEqual([10, 20, 30])
    expect(table.boundOf(0xffff_ffff, 0xffff_ffff, START)).toBe(40)
    expect(table.boundOf(2, 128, START)).toBe(-1)
  })

  test('holds the prefix 0', () => {
    const table = new DenialTable()
    expect(table.boundOf(0, 0, START)).toBe(-1)
    table.add(0, 0, 7, END, START)
    expect(table.boundOf(0, 0, START)).toBe(7)
  })

  test('forgets what has ended, so that a steady stream does not grow it', () => {
    const table = new DenialTable()
    for (let second = 0; second < 5000; second++) {
      table.reserve(10, START + second)
      for (let i = 0; i < 10; i++) {
        const [hi = 0, lo = 0] = random()
        table.add(hi, lo, 0, START + second + 20, START + second)
      }
    }
    expect(table.size).toBeLessThan(1000)
  })
})
