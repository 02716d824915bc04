import { describe, expect, test } from 'vitest'
import { algorithmsOf, type SigningAlgorithm } from '../../src/keys/key.ts'
import {
  ACTIVE_SECONDS,
  handRotation,
  PUBLISHED_AHEAD_SECONDS,
  promote,
  RETIRED_SECONDS,
  SIGNER_CACHE_SECONDS,
  type Step,
} from '../../src/keys/rotation.ts'
import { accessTokenKey, allDueSteps, allNextDue, findLack, type ScheduledKey, signingKey } from '../../src/keys/schedule.ts'
import { ACCESS_TOKEN_LIFETIME } from '../../src/protocol/claims.ts'
import { createRandom } from '../proof/random.ts'

const BORN = 1_800_000_000
const DAY = 86_400

/** A key set with a clock of its own, and what must hold of each step. */
function simulate(seed: number) {
  const random = createRandom(seed)
  let keys: ScheduledKey[] = []
  let now = BORN
  let signingAlg: SigningAlgorithm = 'ES256'
  let made = 0
  let signer = ''
  /** The first key of all signs at once; so does one that is rotated to by hand. */
  let handed = true
  const lastSigned = new Map<string, number>()
  const seen = new Set<string>()

  const insert = (alg: SigningAlgorithm, state: 'active' | 'next') => {
    keys.push({ kid: `k${++made}`, alg, state, state_at: now, created_at: now })
  }
  function apply(steps: readonly Step[], ahead: number) {
    for (const { kid, state } of steps) {
      const key = keys.find((each) => each.kid === kid)
      if (!key) throw new Error('a step for a key that is not there')
      // However long a signer has held it, and however late it signed: the last token is dead.
      if (state === 'gone' && key.state === 'retired') {
        expect(now).toBeGreaterThanOrEqual((lastSigned.get(kid) ?? 0) + SIGNER_CACHE_SECONDS + ACCESS_TOKEN_LIFETIME)
      }
      if (state === 'active') expect(now - key.created_at).toBeGreaterThanOrEqual(ahead)
      if (state === 'gone') keys = keys.filter((each) => each !== key)
      else Object.assign(key, { state, state_at: now })
    }
  }
  function settle() {
    apply(allDueSteps(keys, signingAlg, now), PUBLISHED_AHEAD_SECONDS)
    for (let lack = findLack(keys, algorithmsOf(signingAlg)); lack; lack = findLack(keys, algorithmsOf(signingAlg))) {
      for (const state of lack.states) insert(lack.alg, state)
    }
    expect(allDueSteps(keys, signingAlg, now)).toEqual([])
  }
  const sign = () => {
    for (const alg of algorithmsOf(signingAlg)) lastSigned.set(signingKey(keys, alg)?.key.kid ?? '', now)
    const access = accessTokenKey(keys, signingAlg, now)
    if (!access) throw new Error('nothing signs')
    lastSigned.set(access.key.kid, now)
    expect(access.signs_until).toBeGreaterThan(now)
    // Whatever has made it sign, but a hand: everybody can have had it for a day.
    if (access.key.kid !== signer && !handed) expect(now - access.key.created_at).toBeGreaterThanOrEqual(PUBLISHED_AHEAD_SECONDS)
    signer = access.key.kid
    handed = false
  }
  function check() {
    for (const alg of algorithmsOf(signingAlg)) {
      const count = (state: string) => keys.filter((key) => key.alg === alg && key.state === state).length
      expect([alg, count('active'), count('next')]).toEqual([alg, 1, 1])
    }
    const due = allNextDue(keys, signingAlg)
    if (due === null) throw new Error('a key set has always something to come')
    expect(due).toBeGreaterThan(now)
    expect(allDueSteps(keys, signingAlg, due - 1)).toEqual([])
    expect(allDueSteps(keys, signingAlg, due)).not.toEqual([])
  }
  function byHand() {
    const alg = random.pick([...algorithmsOf(signingAlg)])
    const active = keys.find((key) => key.alg === alg && key.state === 'active')
    const next = keys.find((key) => key.alg === alg && key.state === 'next')
    if (!next || !handRotation(keys, alg, now).ok) return
    apply(promote(active, next), 2)
    insert(alg, 'next')
    seen.add(`rotated ${alg}`)
    handed = true
    if (alg === signingAlg) expect(accessTokenKey(keys, signingAlg, now)?.key.kid).toBe(next.kid)
  }
  function step() {
    // Small steps, steps of days, alarms that are on time, and such as are missed for weeks.
    const due = allNextDue(keys, signingAlg) ?? now
    now = random.pick([now + random.int(1, 120), now + random.int(1, 3 * DAY), due, due - 1, now + random.int(DAY, 50 * DAY)])
    settle()
    if (random.oneIn(5)) byHand()
    // It may have ended a handover.
    settle()
    if (random.oneIn(40)) {
      signingAlg = random.pick(['ES256', 'EdDSA'])
      seen.add(signingAlg)
      settle()
    }
    check()
    sign()
  }
  settle()
  check()
  sign()
  return { step, seen }
}

describe('several algorithms side by side', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('at any time one key of each signs and one is published to follow, a day ahead (seed %i)', (seed) => {
    const simulation = simulate(seed)
    for (let n = 0; n < 600; n++) simulation.step()
    expect([...simulation.seen]).toEqual(expect.arrayContaining(['EdDSA', 'ES256', 'rotated RS256']))
  })

  const key = (kid: string, alg: SigningAlgorithm, state: 'active' | 'next' | 'retired', created_at = BORN, state_at = created_at) => ({
    kid,
    alg,
    state,
    created_at,
    state_at,
  })
  const both = [
    key('e', 'ES256', 'active'),
    key('f', 'ES256', 'next'),
    key('r', 'RS256', 'active', BORN + 9),
    key('s', 'RS256', 'next', BORN + 9),
  ]

  test('each goes by its own clock', () => {
    expect(allNextDue(both, 'ES256')).toBe(BORN + ACTIVE_SECONDS)
    expect(allDueSteps(both, 'ES256', BORN + ACTIVE_SECONDS).map(({ kid }) => kid)).toEqual(['e', 'f'])
    expect(allDueSteps(both, 'ES256', BORN + ACTIVE_SECONDS + 9).map(({ kid }) => kid)).toEqual(['e', 'f', 'r', 's'])
  })

  test('another algorithm for access tokens takes over when its key has been published for a day', () => {
    const change = BORN + 5 * DAY
    const keys = [...both, key('d', 'EdDSA', 'active', change), key('n', 'EdDSA', 'next', change)]
    expect(accessTokenKey(keys, 'EdDSA', change + DAY - 1)).toMatchObject({ key: { kid: 'e' }, signs_until: change + DAY })
    expect(accessTokenKey(keys, 'EdDSA', change + DAY)).toMatchObject({ key: { kid: 'd' } })
    expect(allDueSteps(keys, 'EdDSA', change + DAY - 1)).toEqual([])
    expect(allNextDue(keys, 'EdDSA')).toBe(change + DAY)
    expect(allDueSteps(keys, 'EdDSA', change + DAY)).toEqual([
      { kid: 'e', state: 'retired' },
      { kid: 'f', state: 'gone' },
    ])
    const after = [key('e', 'ES256', 'retired', BORN, change + DAY), ...keys.slice(2)]
    expect(allDueSteps(after, 'EdDSA', change + DAY + RETIRED_SECONDS)).toEqual([{ kid: 'e', state: 'gone' }])
  })

  test('or at once, when a rotation by hand says so', () => {
    const change = BORN + 5 * DAY
    const keys = [...both, key('d', 'EdDSA', 'retired', change, change + 5), key('n', 'EdDSA', 'active', change, change + 5)]
    expect(accessTokenKey(keys, 'EdDSA', change + 5)).toMatchObject({ key: { kid: 'n' } })
    expect(allDueSteps(keys, 'EdDSA', change + 5).map(({ kid }) => kid)).toEqual(['e', 'f'])
  })

  test('RS256 as the algorithm of access tokens is one schedule, and leaves nothing of another behind', () => {
    expect(algorithmsOf('RS256')).toEqual(['RS256'])
    expect(accessTokenKey(both, 'RS256', BORN + DAY + 9)).toMatchObject({ key: { kid: 'r' } })
    expect(allDueSteps(both, 'RS256', BORN + DAY + 9)).toEqual([
      { kid: 'e', state: 'retired' },
      { kid: 'f', state: 'gone' },
    ])
  })

  test('the keys of all algorithms count against the most that are published', () => {
    const many = Array.from({ length: 28 }, (_, n) => key(`x${n}`, 'ES256', 'retired', BORN, BORN + 100))
    expect(handRotation([...many, ...both], 'RS256', BORN + 200)).toMatchObject({ ok: false, error: 'too_many' })
    expect(handRotation([...many.slice(1), ...both], 'RS256', BORN + 200)).toEqual({ ok: true })
    expect(handRotation(both, 'RS256', BORN + 10)).toEqual({ ok: false, error: 'too_soon', retryAfter: 1 })
    expect(handRotation(both, 'ES256', BORN + 10)).toEqual({ ok: true })
  })

  test('what is lacking is named for the first algorithm that lacks it', () => {
    expect(findLack([], ['ES256', 'RS256'])).toEqual({ alg: 'ES256', states: ['active', 'next'] })
    expect(findLack(both.slice(0, 3), ['ES256', 'RS256'])).toEqual({ alg: 'RS256', states: ['next'] })
    expect(findLack(both, ['ES256', 'RS256'])).toBeNull()
  })
})
