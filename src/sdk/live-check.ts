// Asking the issuer about one token: for routes that want `live`, and for `fresh` ones while the view cannot be relied on.

import type { VerifierBinding } from './binding.ts'
import { boundedMap } from './bounded-map.ts'
import type { KnownToken } from './known-token.ts'
import { FLIGHT_TIMEOUT, within } from './single-flight.ts'

/** `unavailable`: the issuer could not be asked, or gave no answer that makes sense. */
export type LiveOutcome = 'active' | 'outdated' | 'revoked' | 'unavailable'

export type LiveCheck = {
  /** Why the last question had no answer; empty when it had one. For the operator. */
  failure(): string
  /** Milliseconds since the moment at which all was last known to be well with the token; null when not within the bound. */
  rememberedAgeMs(token: string, known: KnownToken, nowMs: number): number | null
  /**
   * Asks now, for the key too where no view speaks for it (null); `keyAgeMs` is the age of one that does. Never throws; waits no longer than
   * the time limit.
   */
  ask(token: string, known: KnownToken, keyAgeMs: number | null): Promise<LiveOutcome>
}

const MAX_REMEMBERED = 10_000

/** Without a `check` every answer is `unavailable`. `bound`: the milliseconds for which an active answer stands in for a view. */
export function liveCheck(check: VerifierBinding['check'] | undefined, nowMs: () => number, bound: number): LiveCheck {
  /**
   * By jti, when a token was active and its key good. Its text too: a thief of a key can choose the jti of a good token for one of his own.
   */
  const active = boundedMap<{ token: string; atMs: number }>(MAX_REMEMBERED)
  let failure = ''
  return {
    failure: () => failure,
    rememberedAgeMs(token, { claims }, nowMs) {
      const entry = active.get(claims.jti)
      const age = entry?.token === token ? nowMs - entry.atMs : -1
      return age >= 0 && age <= bound ? age : null
    },
    async ask(token, { claims, key }, keyAgeMs) {
      const { jti } = claims
      const askedMs = nowMs()
      failure = ''
      try {
        const answer = check && (await within(check(token, claims, keyAgeMs === null ? key.kid : undefined), FLIGHT_TIMEOUT))?.value
        if (answer?.active === true) {
          active.set(jti, { token, atMs: askedMs - (keyAgeMs ?? 0) })
          return 'active'
        }
        active.delete(jti)
        if (answer?.active === false) return answer.error === 'outdated' ? 'outdated' : 'revoked'
        failure = 'none'
      } catch (error) {
        failure = String(error)
      }
      return 'unavailable'
    },
  }
}
