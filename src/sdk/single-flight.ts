// One fetch at a time, in a runtime that may cancel the request which started it: the fetch then never settles.

import type { WaitUntil } from './binding.ts'

/** Milliseconds after which a fetch counts as lost, and the longest that anyone waits for one. */
export const FLIGHT_TIMEOUT = 2000

/** A moment before every other, in milliseconds. */
export const NEVER = -Infinity

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

export type SingleFlight = {
  /** Whether a run is under way that can still be believed in. */
  isUnderWay(): boolean
  /** Why the last run that ended failed, or that the present one is lost; empty when all is well. For the operator. */
  failure(): string
  /** Whether the last start lies `ms` or more back; also before the first, and when the clock was set back. */
  isOver(ms: number): boolean
  /** Joins the run under way, or starts the task. What it answers never rejects, but may never settle. */
  join(waitUntil?: WaitUntil): Promise<unknown>
  /** Joins or starts, and waits for the end: whether one came within the time limit. */
  wait(waitUntil?: WaitUntil): Promise<boolean>
}

/** Shares one run of a task among all who want it; a run that is lost does not block the next. */
export function singleFlight(task: FlightTask, nowMs: () => number, timeoutMs: number = FLIGHT_TIMEOUT): SingleFlight {
  let current: Promise<string> | null = null
  let startedMs = NEVER
  let failed = ''
  let turn = 0

  const isOver = (ms: number): boolean => {
    const since = nowMs() - startedMs
    return since < 0 || since >= ms
  }
  const isUnderWay = (): boolean => current !== null && !isOver(timeoutMs)

  const join = (waitUntil?: WaitUntil): Promise<unknown> => {
    if (current !== null) {
      if (isUnderWay()) return current
      failed = LOST
    }
    startedMs = nowMs()
    const run = failureOf(task(startedMs, ++turn))
    current = run
    run.then((failure) => {
      // A run that was given up on and failed after all says nothing about the one that replaced it.
      if (current !== run && failure) return
      if (current === run) current = null
      failed = failure
    })
    waitUntil?.(run)
    return run
  }

  return {
    isUnderWay,
    failure: () => failed || (current === null || isUnderWay() ? '' : LOST),
    isOver,
    join,
    wait: async (waitUntil) => (await within(join(waitUntil), timeoutMs)) !== null,
  }
}

const LOST = 'no answer in time'

const failureOf = (work: Promise<void>): Promise<string> => work.then(() => '', String)
