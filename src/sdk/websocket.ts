// `sallyport/websocket`: the revocation list pushed over a WebSocket, for verifiers in a process that stays up (Node 22, Deno, Bun).

import { decodeFeed, type FeedCursor, type FeedDecoding, formatCursor } from '../protocol/feed.ts'
import type { DenialView } from './denial-view.ts'
import type { OpenFeed, PushedFeed } from './pushed-feed.ts'

/** The parts of a WebSocket that are used. The global one has them. */
export type Socket = {
  binaryType: string
  readonly readyState: number
  send(text: string): void
  close(): void
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: object) => void): void
}

/** `connect` makes the socket (default: the global `WebSocket`), `random` the jitter between 0 and 1. */
export type WebSocketFeedOptions = { connect?: (url: string) => Socket; random?: () => number }

/** Milliseconds between two cursors sent: only an answer to one proves how old the view is. */
const ASK_EVERY = 1000
/** Questions without an answer after which a socket counts as dead. */
const MAX_SILENCE = 3
/** Milliseconds until the next try: random between the least and a bound that doubles up to the most. */
const LEAST_DELAY = 500
const MOST_DELAY = 10_000
/** The server has too many sockets: it will not be better in a moment. */
const TRY_AGAIN_LATER = 1013
const OPEN = 1

/**
 * A feed for `createVerifier({ feed: websocketFeed() })`: a denial arrives within milliseconds of its acknowledgement. While the socket is
 * down the verifier polls, and the socket tries again after 0.5 to 10 s. An open socket keeps a process alive until `verifier.close()`.
 */
export function websocketFeed(options: WebSocketFeedOptions = {}): PushedFeed {
  const { connect = (url) => new WebSocket(url), random = Math.random } = options
  return (issuer, view, nowMs) => new FeedSocket({ url: `${issuer.replace(/^http/, 'ws')}/revocations`, connect, random, nowMs }, view)
}

type Surroundings = Required<WebSocketFeedOptions> & { url: string; nowMs: () => number }
type Question = { after: FeedCursor | null; startedMs: number }

class FeedSocket implements OpenFeed {
  readonly #around: Surroundings
  readonly #view: DenialView
  #socket: Socket | null = null
  #timer: Timer
  /** Sent and not answered yet, oldest first; the connection itself is the first. */
  #questions: Question[] = []
  /** The epoch and sequence of the last message; null until the first, which is an answer. */
  #last: FeedCursor | null = null
  #silence = 0
  #failures = 0

  constructor(around: Surroundings, view: DenialView) {
    this.#around = around
    this.#view = view
    this.#connect()
  }

  get isUp(): boolean {
    return this.#last !== null && this.#silence < MAX_SILENCE
  }

  close(): void {
    this.#drop()
  }

  #connect(): void {
    const { url, connect, nowMs } = this.#around
    const after = this.#view.cursor
    this.#questions = [{ after, startedMs: nowMs() }]
    this.#silence = 0
    this.#timer = detached(setInterval(() => this.#ask(), ASK_EVERY))
    try {
      const socket = connect(after === null ? url : `${url}?after=${formatCursor(after)}`)
      socket.binaryType = 'arraybuffer'
      const ifCurrent = (act: () => void): void => {
        if (this.#socket === socket) act()
      }
      socket.addEventListener('message', (event) => ifCurrent(() => this.#take('data' in event ? event.data : null)))
      socket.addEventListener('close', (event) => ifCurrent(() => this.#retry('code' in event && event.code === TRY_AGAIN_LATER)))
      socket.addEventListener('error', () => ifCurrent(() => this.#retry()))
      this.#socket = socket
    } catch {
      this.#retry()
    }
  }

  /** Once a second; gives up on a socket that says nothing, or never opens. */
  #ask(): void {
    if (++this.#silence > MAX_SILENCE) this.#retry()
    else this.#send(this.#view.cursor)
  }

  #send(after: FeedCursor | null): void {
    if (this.#socket?.readyState !== OPEN) return
    // One snapshot under way is enough: it will hold whatever else was missed.
    if (after === null && this.#questions.some((question) => question.after === null)) return
    this.#questions.push({ after, startedMs: this.#around.nowMs() })
    this.#socket.send(after === null ? '' : formatCursor(after))
  }

  #take(data: unknown): void {
    const feed = data instanceof ArrayBuffer ? decodeFeed(new Uint8Array(data)) : null
    if (!feed?.ok) {
      this.#retry()
      return
    }
    const { epoch, sequence, snapshot } = feed.header
    const last = this.#last
    const step = last?.epoch === epoch ? sequence - last.sequence : Number.POSITIVE_INFINITY
    // Steps come in order, and each before an answer that includes it: what is one step on is a step, what is no step on an answer.
    if (last === null || snapshot || step <= 0) this.#answer(feed)
    else if (step > 1 || this.#view.apply(feed, this.#around.nowMs(), { epoch, sequence: sequence - 1 }, false) !== 'applied') {
      // Something is missing, and no telling whether this is a step or an answer: only a snapshot is certain.
      this.#send(null)
      return
    }
    this.#last = { epoch, sequence }
  }

  #answer(feed: FeedDecoding): void {
    const question = this.#questions.shift()
    if (question === undefined) return
    this.#silence = 0
    this.#failures = 0
    if (this.#view.apply(feed, question.startedMs, question.after) !== 'applied') this.#send(null)
  }

  #drop(): void {
    const socket = this.#socket
    clearTimeout(this.#timer)
    this.#socket = null
    this.#last = null
    try {
      socket?.close()
    } catch {
      // It was never open.
    }
  }

  #retry(later = false): void {
    this.#drop()
    const bound = Math.min(MOST_DELAY, LEAST_DELAY * 2 ** ++this.#failures)
    const delay = later ? MOST_DELAY : LEAST_DELAY + this.#around.random() * (bound - LEAST_DELAY)
    this.#timer = detached(setTimeout(() => this.#connect(), delay))
  }
}

type Timer = ReturnType<typeof setTimeout> | undefined

/** Node would wait for the timer before it ends. */
function detached<T>(timer: T): T {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
  return timer
}
