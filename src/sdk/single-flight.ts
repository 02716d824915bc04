// One fetch at a time, in a runtime that may cancel the request which started it: the fetch then never settles.

import type { WaitUntil } from './binding.ts'

/** Milliseconds after which a fetch counts as lost, and the longest that anyone waits for one. */
export const FLIGHT_TIMEOUT = 2000

/** A moment before every other, in milliseconds. */
export const NEVER = Number.NEGATIVE_INFINITY

/** Waits for a promise, at most `ms` milliseconds; null when it has not settled by then. Rejects when it does. */
export async function within<T>(work: Promise<T>, ms: number): Promise<{ value: T } | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms)
  })
  try {
    return await Promise.race([work.then((value) => ({ value })), late])
  } finally {
    clearTimeout(timer)
  }
}

/** What a flight does. `turn` counts the runs: a slow one must not undo what a later one brought. */
export type FlightTask = (startedMs: number, turn: number) => Promise<void>

/** Shares one run of a task among all who want it; a run that is lost does not block the next. */
export class SingleFlight {
  readonly #nowMs: () => number
  readonly #timeoutMs: number
  #run: Promise<boolean> | null = null
  #startedMs = NEVER
  #failing = false
  #turn = 0

  constructor(nowMs: () => number, timeoutMs: number = FLIGHT_TIMEOUT) {
    this.#nowMs = nowMs
    this.#timeoutMs = timeoutMs
  }

  /** When the last run started, in milliseconds; -Infinity before the first. */
  get startedMs(): number {
    return this.#startedMs
  }

  /** Whether a run is under way that can still be believed in. */
  get underWay(): boolean {
    const age = this.#nowMs() - this.#startedMs
    return this.#run !== null && age >= 0 && age < this.#timeoutMs
  }

  /** Whether the last run that ended failed, or the present one is lost. */
  get failing(): boolean {
    return this.#failing || (this.#run !== null && !this.underWay)
  }

  /** Joins the run under way, or starts `task`. Answers whether it succeeded; never rejects, but may never settle. */
  join(task: FlightTask, waitUntil?: WaitUntil): Promise<boolean> {
    if (this.#run !== null) {
      if (this.underWay) return this.#run
      this.#failing = true
    }
    this.#startedMs = this.#nowMs()
    const run = start(task, this.#startedMs, ++this.#turn)
    this.#run = run
    run.then((done) => this.#land(run, done))
    if (waitUntil !== undefined) waitUntil(run)
    return run
  }

  /** Joins or starts, and waits for the end within the time limit: whether it succeeded, or null when no end came. */
  async wait(task: FlightTask, waitUntil?: WaitUntil): Promise<boolean | null> {
    const end = await within(this.join(task, waitUntil), this.#timeoutMs)
    return end === null ? null : end.value
  }

  #land(run: Promise<boolean>, done: boolean): void {
    // A run that was given up on and failed after all says nothing about the one that replaced it.
    if (this.#run !== run && !done) return
    if (this.#run === run) this.#run = null
    this.#failing = !done
  }
}

async function start(task: FlightTask, startedMs: number, turn: number): Promise<boolean> {
  try {
    await task(startedMs, turn)
    return true
  } catch {
    return false
  }
}
