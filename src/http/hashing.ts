import type { AppContext } from './context.ts'
import { ApiError } from './problem.ts'

/**
 * Runs a task with one place in the isolate's hash queue. The task goes on when its caller hangs up: a request that is cancelled while it
 * holds a place would keep everybody else out until the place is taken back.
 */
export async function withHashSlot<T>(c: AppContext, task: () => Promise<T>, options: { known?: boolean } = {}): Promise<T> {
  const work = c.get('services').hashes.run(task, options)
  c.executionCtx.waitUntil(work.catch(() => {}))
  const done = await work
  if (!done.ok) throw new ApiError('overloaded', { retryAfter: done.retryAfter, reason: 'the hash queue is full' })
  return done.value
}
