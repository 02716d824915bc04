import { describe, expect, test } from 'vitest'
import { ACTIVE_SECONDS, dueSteps, nextDue, PUBLISHED_AHEAD_SECONDS, RETIRED_SECONDS, REVOKED_SECONDS } from '../../src/keys/rotation.ts'

const BORN = 1_800_000_000
const key = (kid: string, state: 'next' | 'active' | 'retired' | 'revoked', state_at = BORN, created_at = BORN) => ({
  kid,
  state,
  state_at,
  created_at,
})

describe('the schedule of signing keys', () => {
  test('a key signs for 30 days, then the published next one does', () => {
    const keys = [key('a', 'active'), key('n', 'next')]
    expect(dueSteps(keys, BORN + ACTIVE_SECONDS - 1)).toEqual([])
    expect(dueSteps(keys, BORN + ACTIVE_SECONDS)).toEqual([
      { kid: 'a', state: 'retired' },
      { kid: 'n', state: 'active' },
    ])
    expect(nextDue(keys)).toBe(BORN + ACTIVE_SECONDS)
  })

  test('no key takes over before it has been published for a day', () => {
    const late = BORN + ACTIVE_SECONDS - 60
    const keys = [key('a', 'active'), key('n', 'next', late, late)]
    expect(dueSteps(keys, BORN + ACTIVE_SECONDS)).toEqual([])
    expect(nextDue(keys)).toBe(late + PUBLISHED_AHEAD_SECONDS)
    expect(dueSteps(keys, late + PUBLISHED_AHEAD_SECONDS)).toHaveLength(2)
  })

  test('without an active key the next one takes over at once', () => {
    expect(dueSteps([key('n', 'next')], BORN)).toEqual([{ kid: 'n', state: 'active' }])
  })

  test('a retired key goes when the last token it can have signed is dead', () => {
    const keys = [key('r', 'retired'), key('a', 'active'), key('n', 'next')]
    expect(dueSteps(keys, BORN + RETIRED_SECONDS - 1)).toEqual([])
    expect(dueSteps(keys, BORN + RETIRED_SECONDS)).toEqual([{ kid: 'r', state: 'gone' }])
    expect(nextDue(keys)).toBe(BORN + RETIRED_SECONDS)
  })

  test('a revoked key is remembered for as long as anybody may ask', () => {
    expect(dueSteps([key('x', 'revoked'), key('a', 'active'), key('n', 'next')], BORN + REVOKED_SECONDS)).toContainEqual({
      kid: 'x',
      state: 'gone',
    })
  })

  test('an empty set has nothing due', () => {
    expect(dueSteps([], BORN)).toEqual([])
    expect(nextDue([])).toBeNull()
  })
})
