/** Milliseconds after which a waiter looks by itself, whoever should have woken it. */
const POLL_MS = 250
/** Milliseconds after which a waiter that has not looked is taken for cancelled. */
const UNSEEN_MS = 1_000
/** Seconds: about as long as a full queue of 50 ms hashes lasts. */
const RETRY_AFTER = 3

/** `now` (milliseconds) and `wait` are there for tests of long times. */
export type HashQueueOptions = {
  slots: number
  waiting: number
  slotTimeoutMs: number
  now?: () => number
  wait?: (ms: number) => Promise<void>
}

export type HashQueueOutcome<T> = { ok: true; value: T } | { ok: false; error: 'overloaded'; retryAfter: number }

type Slot = { takenMs: number }
type Ticket = { number: number; seenMs: number; wake: () => void }

/**
 * Bounds how many password hashes an isolate has in hand: `slots` run, `waiting` wait in order, more are refused.
 *
 * A Worker's request may be cancelled while it waits or holds a slot, and then nothing of it runs again, not even `finally`. So nothing
 * here trusts anybody to leave: a slot is taken back after `slotTimeoutMs`, and a waiter counts only while it keeps looking.
 */
export class HashQueue {
  readonly #options: Required<HashQueueOptions>
  readonly #slots = new Set<Slot>()
  #tickets: Ticket[] = []
  #lastNumber = 0

  constructor(options: HashQueueOptions) {
    this.#options = { now: Date.now, wait: delay, ...options }
  }

  /** Runs the task (object calls and one hash) when its turn comes. `retryAfter` is in seconds. What the task throws is thrown. */
  /** `known`: a device that has signed in before may still queue when strangers have filled their places, in as many of its own. */
  async run<T>(task: () => Promise<T>, { known = false }: { known?: boolean } = {}): Promise<HashQueueOutcome<T>> {
    const slot = await this.#enter(known ? 2 * this.#options.waiting : this.#options.waiting)
    if (slot === null) return { ok: false, error: 'overloaded', retryAfter: RETRY_AFTER }
    try {
      return { ok: true, value: await task() }
    } finally {
      this.#slots.delete(slot)
      this.#wakeNext()
    }
  }

  async #enter(waiting: number): Promise<Slot | null> {
    this.#lastNumber += 1
    const ticket: Ticket = { number: this.#lastNumber, seenMs: 0, wake: () => {} }
    for (;;) {
      const nowMs = this.#options.now()
      ticket.seenMs = nowMs
      this.#forgetVanished(nowMs)
      if (!this.#tickets.includes(ticket) && !this.#join(ticket, waiting)) return null
      const slot = this.#take(ticket, nowMs)
      if (slot !== null) return slot
      const woken = new Promise<void>((resolve) => {
        ticket.wake = resolve
      })
      await Promise.race([woken, this.#options.wait(POLL_MS)])
    }
  }

  /** Also for a ticket that was dropped though its request lives (a stalled isolate): it has its old place again. */
  #join(ticket: Ticket, waiting: number): boolean {
    const later = this.#tickets.findIndex((other) => other.number > ticket.number)
    const place = later === -1 ? this.#tickets.length : later
    if (place >= this.#free() && this.#tickets.length >= waiting) return false
    this.#tickets.splice(place, 0, ticket)
    return true
  }

  #take(ticket: Ticket, nowMs: number): Slot | null {
    const place = this.#tickets.indexOf(ticket)
    if (place >= this.#free()) return null
    this.#tickets.splice(place, 1)
    const slot = { takenMs: nowMs }
    this.#slots.add(slot)
    return slot
  }

  #free(): number {
    return this.#options.slots - this.#slots.size
  }

  #wakeNext(): void {
    for (const ticket of this.#tickets.slice(0, Math.max(0, this.#free()))) ticket.wake()
  }

  #forgetVanished(nowMs: number): void {
    for (const slot of this.#slots) {
      if (nowMs - slot.takenMs >= this.#options.slotTimeoutMs) this.#slots.delete(slot)
    }
    this.#tickets = this.#tickets.filter((ticket) => nowMs - ticket.seenMs < UNSEEN_MS)
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
