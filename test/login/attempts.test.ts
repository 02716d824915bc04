import { expect, test } from 'vitest'
import { ATTEMPT_MEMORY, type AttemptState, beginAttempt, FREE_ATTEMPTS, failAttempt, MAX_ATTEMPT_DELAY } from '../../src/login/attempts.ts'

const T = 1_800_000_000_000

/** A wrong try whose hash takes no time. */
function wrongTry(state: AttemptState, nowMs: number): AttemptState {
  const begun = beginAttempt(state, nowMs)
  if (!begun.ok) throw new Error(`refused for ${begun.retryAfter} s`)
  return failAttempt(begun.state, nowMs)
}

/** The state after so many wrong tries, each made as soon as it may be, and when the next may be made. */
function afterWrongTries(count: number): { state: AttemptState; nowMs: number } {
  let state: AttemptState = null
  let nowMs = T
  for (let made = 0; made < count; made++) {
    state = wrongTry(state, nowMs)
    nowMs = Math.max(nowMs, state?.blocked_until_ms ?? 0)
  }
  return { state, nowMs }
}

test('ten wrong tries in a row are free', () => {
  for (let made = 0; made < FREE_ATTEMPTS; made++) expect(afterWrongTries(made).nowMs).toBe(T)
})

test.each([
  [10, 1],
  [11, 2],
  [12, 4],
  [13, 8],
  [14, 16],
  [15, 32],
  [16, 64],
  [17, 128],
  [18, 256],
  [19, 512],
  [20, 900],
  [21, 900],
  [40, 900],
])('after %i wrong tries the next one waits %i s', (tries, seconds) => {
  const before = afterWrongTries(tries - 1)
  const state = wrongTry(before.state, before.nowMs)
  expect(beginAttempt(state, before.nowMs)).toEqual({ ok: false, retryAfter: seconds, state })
  expect(beginAttempt(state, before.nowMs + seconds * 1000 - 1)).toEqual({ ok: false, retryAfter: 1, state })
  expect(beginAttempt(state, before.nowMs + seconds * 1000).ok).toBe(true)
})

test('the delay stops growing however many tries have failed', () => {
  const state = { failures: 5_000, blocked_until_ms: 0, last_ms: T }
  expect(failAttempt(state, T)?.blocked_until_ms).toBe(T + MAX_ATTEMPT_DELAY * 1000)
})

test('of many tries begun at once exactly the free ones pass', () => {
  let state: AttemptState = null
  const passed: boolean[] = []
  for (let made = 0; made < 50; made++) {
    const begun = beginAttempt(state, T)
    state = begun.state
    passed.push(begun.ok)
  }
  expect(passed).toEqual([...Array(FREE_ATTEMPTS).fill(true), ...Array(50 - FREE_ATTEMPTS).fill(false)])
})

test('of many tries begun at the end of a delay exactly one passes', () => {
  let { state, nowMs } = afterWrongTries(12)
  let passed = 0
  for (let made = 0; made < 50; made++) {
    const begun = beginAttempt(state, nowMs)
    state = begun.state
    if (begun.ok) passed += 1
  }
  expect(passed).toBe(1)
})

test('a refused try is not counted and does not lengthen the delay', () => {
  const { state } = afterWrongTries(12)
  const refused = beginAttempt(state, T)
  expect(refused.ok).toBe(false)
  expect(refused.state).toEqual(state)
})

test('a slow hash does not eat the delay', () => {
  const before = afterWrongTries(9)
  const begun = beginAttempt(before.state, T)
  const failed = failAttempt(begun.state, T + 5_000)
  expect(beginAttempt(failed, T + 5_999).ok).toBe(false)
  expect(beginAttempt(failed, T + 6_000).ok).toBe(true)
})

test('a failure is not counted a second time when it is known', () => {
  const begun = beginAttempt(null, T)
  expect(begun.state?.failures).toBe(1)
  expect(failAttempt(begun.state, T)?.failures).toBe(1)
})

test('the late failure of a parallel try never shortens a delay', () => {
  const state = { failures: 12, blocked_until_ms: T + 60_000, last_ms: T }
  expect(failAttempt(state, T)?.blocked_until_ms).toBe(T + 60_000)
})

test('a try that fails after another has succeeded starts a new row', () => {
  expect(failAttempt(null, T)).toEqual({ failures: 1, blocked_until_ms: T, last_ms: T })
})

test('a counter not touched for a day starts afresh, and not a moment sooner', () => {
  const state = { failures: 30, blocked_until_ms: T + 900_000, last_ms: T }
  expect(beginAttempt(state, T + ATTEMPT_MEMORY * 1000 - 1).state?.failures).toBe(31)
  expect(beginAttempt(state, T + ATTEMPT_MEMORY * 1000).state?.failures).toBe(1)
})
