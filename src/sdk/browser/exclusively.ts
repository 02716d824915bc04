/** Milliseconds: a tab that hangs while it holds the lock must not stop the others for longer. */
const TURN_TIMEOUT = 5_000

/**
 * Runs `work` while no other tab of this origin runs its own under the same name (Web Locks). Where there are no Web Locks, or the turn
 * does not come in time, it runs all the same: a lock saves requests, correctness never depends on it.
 */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks: LockManager | undefined = globalThis.navigator?.locks
  if (locks === undefined) return work()
  let begun = false
  try {
    return await locks.request(name, { signal: AbortSignal.timeout(TURN_TIMEOUT) }, () => {
      begun = true
      return work()
    })
  } catch (error) {
    if (begun) throw error
    return work()
  }
}
