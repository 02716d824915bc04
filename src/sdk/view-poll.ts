// Keeps the denial view current: when to ask the feed, who waits for it, and for how long.

import { type FeedCursor, formatCursor } from '../protocol/feed.ts'
import type { VerifierBinding, WaitUntil } from './binding.ts'
import { type Application, DenialView } from './denial-view.ts'
import { SingleFlight } from './single-flight.ts'

/** Milliseconds: past `freshFor` the view is refreshed in the background, past `staleAfter` it is not relied on. */
export type ViewPollOptions = { nowMs: () => number; freshFor: number; staleAfter: number; flightTimeout?: number }

/** Milliseconds between two tries while the feed is failing. */
const RETRY_AFTER = 1000

export class ViewPoll {
  readonly view = new DenialView()
  readonly #binding: VerifierBinding
  readonly #nowMs: () => number
  readonly #freshFor: number
  readonly #staleAfter: number
  readonly #flight: SingleFlight
  #turn = 0

  constructor(binding: VerifierBinding, options: ViewPollOptions) {
    this.#binding = binding
    this.#nowMs = options.nowMs
    this.#freshFor = options.freshFor
    this.#staleAfter = options.staleAfter
    this.#flight = new SingleFlight(options.nowMs, options.flightTimeout)
  }

  /** Whether the view is within the bound without any waiting; starts the background refresh when it is due. */
  isCurrent(nowMs: number, waitUntil?: WaitUntil): boolean {
    const age = this.view.ageMs(nowMs)
    if (age <= this.#freshFor) return true
    if (age > this.#staleAfter) return false
    this.#refresh(nowMs, waitUntil)
    return true
  }

  /**
   * Brings the view within the bound if that can be done in time, and answers whether it is. While the feed is failing nobody waits
   * for it: each would wait the full limit for the same bad news.
   */
  async becomesCurrent(waitUntil?: WaitUntil): Promise<boolean> {
    if (this.#flight.failing) {
      this.#refresh(this.#nowMs(), waitUntil)
      return false
    }
    await this.#flight.wait(this.#fetch, waitUntil)
    return this.view.ageMs(this.#nowMs()) <= this.#staleAfter
  }

  /** Waits for a view that needs no refresh, unless the feed is failing. */
  async becomesFresh(waitUntil?: WaitUntil): Promise<void> {
    if (this.view.ageMs(this.#nowMs()) > this.#freshFor) await this.becomesCurrent(waitUntil)
  }

  #refresh(nowMs: number, waitUntil: WaitUntil | undefined): void {
    if (this.#flight.underWay) return
    const since = nowMs - this.#flight.startedMs
    if (this.#flight.failing && since >= 0 && since < RETRY_AFTER) return
    this.#flight.join(this.#fetch, waitUntil)
  }

  readonly #fetch = async (startedMs: number, turn: number): Promise<void> => {
    let outcome = await this.#ask(startedMs, turn, this.view.cursor)
    if (!outcome.ok && outcome.error === 'lost') outcome = await this.#ask(this.#nowMs(), turn, null)
    if (!outcome.ok) throw new Error(outcome.reason)
    if (this.view.ageMs(this.#nowMs()) > this.#staleAfter) throw new Error('the answer is older than the bound')
  }

  async #ask(startedMs: number, turn: number, after: FeedCursor | null): Promise<Application> {
    const answer: unknown = await this.#binding.revocations(after === null ? null : formatCursor(after))
    // Given up on, and a later one has answered: its cursor and epoch are newer than what this one can say.
    if (turn < this.#turn) return { ok: true }
    const bytes = toBytes(answer)
    if (bytes === null) return { ok: false, error: 'malformed', reason: 'the feed is not bytes' }
    const outcome = this.view.apply(bytes, startedMs, after)
    if (outcome.ok) this.#turn = turn
    return outcome
  }
}

function toBytes(answer: unknown): Uint8Array | null {
  if (answer instanceof Uint8Array) return answer
  return answer instanceof ArrayBuffer ? new Uint8Array(answer) : null
}
