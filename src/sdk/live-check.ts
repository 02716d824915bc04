// Asking the issuer about one token: for routes that want `live`, and for `fresh` ones while the view cannot be relied on.

import type { VerifierBinding } from './binding.ts'
import { BoundedMap } from './bounded-map.ts'
import type { KnownToken } from './known-token.ts'
import { FLIGHT_TIMEOUT, within } from './single-flight.ts'

/** `unavailable`: the issuer could not be asked, or gave no answer that makes sense. */
export type LiveOutcome = { ok: true } | { ok: false; error: 'outdated' | 'revoked' | 'unavailable' }

const MAX_REMEMBERED = 10_000

export class LiveCheck {
  readonly #binding: VerifierBinding
  readonly #nowMs: () => number
  readonly #bound: number
  readonly #timeout: number
  /** By jti, when the question was asked to which the answer was "active". */
  readonly #active = new BoundedMap<number>(MAX_REMEMBERED)

  /** `bound`: the milliseconds for which an active answer stands in for a view. */
  constructor(binding: VerifierBinding, options: { nowMs: () => number; bound: number; flightTimeout?: number }) {
    this.#binding = binding
    this.#nowMs = options.nowMs
    this.#bound = options.bound
    this.#timeout = options.flightTimeout ?? FLIGHT_TIMEOUT
  }

  /** Milliseconds since the token was last found active; null when not within the bound. */
  rememberedAgeMs(known: KnownToken, nowMs: number): number | null {
    const asked = this.#active.get(known.claims.jti)
    if (asked === undefined) return null
    const age = nowMs - asked
    return age >= 0 && age <= this.#bound ? age : null
  }

  /** Asks now. Never throws; waits no longer than the time limit. */
  async ask(token: string, known: KnownToken): Promise<LiveOutcome> {
    const askedMs = this.#nowMs()
    try {
      const end = await within(this.#binding.check(token, known.claims), this.#timeout)
      const answer = end?.value
      if (answer?.active === true) {
        this.#active.set(known.claims.jti, askedMs)
        return { ok: true }
      }
      this.#active.delete(known.claims.jti)
      if (answer?.active !== false) return { ok: false, error: 'unavailable' }
      return { ok: false, error: answer.error === 'outdated' ? 'outdated' : 'revoked' }
    } catch {
      return { ok: false, error: 'unavailable' }
    }
  }
}
