// Keeps the denial view current: when to ask the feed, who waits for it, and for how long.

import { decodeFeed, type FeedCursor, formatCursor } from '../protocol/feed.ts'
import type { IssuerSource, WaitUntil } from './binding.ts'
import { type Application, DenialView } from './denial-view.ts'
import type { OpenFeed } from './pushed-feed.ts'
import { singleFlight } from './single-flight.ts'

/** Milliseconds: past `freshFor` the view is refreshed in the background, past `staleAfter` it is not relied on. */
export type ViewPollOptions = { nowMs: () => number; freshFor: number; staleAfter: number; flightTimeout?: number }

export type ViewPoll = {
  readonly view: DenialView
  /** While a pushed feed is up nothing is polled that is within the bound. */
  pushed: OpenFeed | null
  /** Why the feed cannot be had; for the operator. */
  failure(): string
  /** Whether the view is within its bound at this moment; starts the background refresh when it is due. */
  isCurrent(nowMs: number, waitUntil?: WaitUntil): boolean
  /**
   * Brings the view within the bound if that can be done in time, and answers whether it is. While the feed is failing nobody waits
   * for it: each would wait the full limit for the same bad news.
   */
  becomesCurrent(waitUntil?: WaitUntil): Promise<boolean>
  /** Waits for a view that needs no refresh, unless the feed is failing. */
  becomesFresh(waitUntil?: WaitUntil): Promise<void>
}

/** Milliseconds between two tries while the feed is failing. */
const RETRY_AFTER = 1000
/** Milliseconds between answers that are asked for to tell a clock that was set from an answer that is old. */
const SECOND_LOOK = 400
const LOOKS = 3

export function viewPoll(source: IssuerSource, { nowMs, freshFor, staleAfter, flightTimeout }: ViewPollOptions): ViewPoll {
  const view = new DenialView()
  let latest = 0

  const ask = async (startedMs: number, turn: number, after: FeedCursor | null): Promise<Application> => {
    const answer: unknown = await source.revocations(after && formatCursor(after))
    // Given up on, and a later one has answered: its cursor and epoch are newer than what this one can say.
    if (turn < latest) return 'applied'
    const bytes = answer instanceof ArrayBuffer ? new Uint8Array(answer) : answer
    const outcome = bytes instanceof Uint8Array ? view.apply(decodeFeed(bytes), startedMs, after) : 'malformed'
    if (outcome === 'applied') latest = turn
    return outcome
  }

  const flight = singleFlight(
    async (startedMs, turn) => {
      for (let looks = 0; looks < LOOKS; looks++) {
        if (looks > 0) await new Promise((resolve) => setTimeout(resolve, SECOND_LOOK))
        let outcome = await ask(looks > 0 ? nowMs() : startedMs, turn, view.cursor)
        if (outcome === 'lost') outcome = await ask(nowMs(), turn, null)
        if (outcome !== 'applied') throw new Error(outcome)
        if (isWithinBound(nowMs())) return
      }
      throw new Error('old')
    },
    nowMs,
    flightTimeout,
  )

  const isWithinBound = (atMs: number): boolean => view.ageMs(atMs) <= staleAfter
  const refresh = (waitUntil?: WaitUntil): void => {
    if (!flight.isUnderWay() && (!flight.failure() || flight.isOver(RETRY_AFTER))) flight.join(waitUntil)
  }

  const poll: ViewPoll = {
    view,
    pushed: null,
    failure: flight.failure,
    isCurrent(atMs, waitUntil) {
      const age = view.ageMs(atMs)
      // One slow answer makes later ones look older than they are: that must not make the asking more frequent.
      if (age > freshFor && age <= staleAfter && flight.isOver(freshFor) && !poll.pushed?.isUp) refresh(waitUntil)
      return age <= staleAfter
    },
    async becomesCurrent(waitUntil) {
      if (flight.failure()) refresh(waitUntil)
      else await flight.wait(waitUntil)
      return isWithinBound(nowMs())
    },
    async becomesFresh(waitUntil) {
      const age = view.ageMs(nowMs())
      if (age > (poll.pushed?.isUp ? staleAfter : freshFor)) await poll.becomesCurrent(waitUntil)
    },
  }
  return poll
}
