/** Wrong sign-in tries may come this many in a row before the first delay. */
export const FREE_ATTEMPTS = 10
/** Seconds of delay after the last free try; doubles with each further counted try. */
export const FIRST_ATTEMPT_DELAY = 1
/** Seconds: the longest delay. */
export const MAX_ATTEMPT_DELAY = 900
/** Seconds: a counter not touched for so long starts afresh. */
export const ATTEMPT_MEMORY = 86_400

/** One row for each account (or decoy) and kind of device; null is no row. Success deletes the row. */
export type AttemptState = {
  failures: number
  blocked_until_ms: number
  last_ms: number
} | null

export type AttemptOutcome = { ok: true; state: AttemptState } | { ok: false; retryAfter: number; state: AttemptState }

/**
 * Answers whether a try may go on to the hash, and the state to store. It is counted here, before the hash, and the delay
 * that a wrong one earns starts here too: so of many parallel tries no more pass than the limit allows.
 * A refused try is not counted. `retryAfter` is in whole seconds, at least 1.
 */
export function beginAttempt(state: AttemptState, nowMs: number): AttemptOutcome {
  const known = remembered(state, nowMs)
  if (known !== null && known.blocked_until_ms > nowMs) {
    return { ok: false, retryAfter: Math.max(1, Math.ceil((known.blocked_until_ms - nowMs) / 1000)), state: known }
  }
  return { ok: true, state: stamped((known?.failures ?? 0) + 1, known?.blocked_until_ms ?? 0, nowMs) }
}

/**
 * Answers the state to store after a wrong password. The try was counted when it began; the delay is stamped once more
 * from now, so that a slow hash does not eat it. Without a row (another try has succeeded meanwhile) this one is the first of a new row of wrong ones.
 */
export function failAttempt(state: AttemptState, nowMs: number): AttemptState {
  const known = remembered(state, nowMs)
  return stamped(known?.failures ?? 1, known?.blocked_until_ms ?? 0, nowMs)
}

/**
 * Answers the state to store after a right try where wrong ones before it still count: the try itself costs nothing, and forgives nothing.
 * Null: nothing is left to store.
 */
export function forgiveAttempt(state: AttemptState): AttemptState {
  return state === null || state.failures <= 1 ? null : { ...state, failures: state.failures - 1, blocked_until_ms: 0 }
}

function remembered(state: AttemptState, nowMs: number): AttemptState {
  return state !== null && nowMs - state.last_ms < ATTEMPT_MEMORY * 1000 ? state : null
}

function stamped(failures: number, blockedUntilMs: number, nowMs: number): AttemptState {
  // A late answer of a parallel try must never shorten the delay.
  return { failures, blocked_until_ms: Math.max(blockedUntilMs, nowMs + delay(failures) * 1000), last_ms: nowMs }
}

function delay(failures: number): number {
  if (failures < FREE_ATTEMPTS) return 0
  return Math.min(FIRST_ATTEMPT_DELAY * 2 ** (failures - FREE_ATTEMPTS), MAX_ATTEMPT_DELAY)
}
