// Asking the issuer about one token: for routes that want `live`, and for `fresh` ones while the view cannot be relied on.

import type { VerifierBinding } from './binding.ts'
import { boundedMap } from './bounded-map.ts'
import type { KnownToken } from './known-token.ts'
import { FLIGHT_TIMEOUT, NEVER, within } from './single-flight.ts'

/** `unavailable`: the issuer could not be asked, or gave no answer that makes sense. */
export type LiveOutcome = 'active' | 'outdated' | 'revoked' | 'unavailable'

export type LiveCheck = {
  /** Why the last question had no answer; empty when it had one. For the operator. */
  failure(): string
  /** Milliseconds since the token was last found active; null when not within the bound. */
  rememberedAgeMs(known: KnownToken, nowMs: number): number | null
  /** Asks now, for the key too where no view speaks for it. Never throws; waits no longer than the time limit. */
  ask(token: string, known: KnownToken, isKeyDoubted: boolean): Promise<LiveOutcome>
}

const MAX_REMEMBERED = 10_000

/** Without a `check` every answer is `unavailable`. `bound`: the milliseconds for which an active answer stands in for a view. */
export function liveCheck(check: VerifierBinding['check'] | undefined, nowMs: () => number, bound: number): LiveCheck {
  /** By jti, when the question was asked to which the answer was "active". */
  const active = boundedMap<number>(MAX_REMEMBERED)
  let failure = ''
  return {
    failure: () => failure,
    rememberedAgeMs({ claims }, nowMs) {
      const age = nowMs - (active.get(claims.jti) ?? NEVER)
      return age >= 0 && age <= bound ? age : null
    },
    async ask(token, { claims, key }, isKeyDoubted) {
      const { jti } = claims
      const askedMs = nowMs()
      failure = ''
      try {
        const answer = check && (await within(check(token, claims, isKeyDoubted ? key.kid : undefined), FLIGHT_TIMEOUT))?.value
        if (answer?.active === true) {
          active.set(jti, askedMs)
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
