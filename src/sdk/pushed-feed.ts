import type { DenialView } from './denial-view.ts'

/** A feed that is being pushed into a view. */
export type OpenFeed = {
  /** Whether it can be relied on at the moment; while not, the feed is polled. */
  readonly isUp: boolean
  /** Ends it, with its timers. */
  close(): void
}

/** Lets the revocation feed come by itself: `websocketFeed()` of `sallyport/websocket` is one. Begins at once, and mends itself until closed. */
export type PushedFeed = (issuer: string, view: DenialView, nowMs: () => number) => OpenFeed
