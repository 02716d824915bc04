import type { AppContext } from './context.ts'
import { log } from './log.ts'

/** What a request does besides what was asked for: when it cannot be done, it is logged, and the request succeeds all the same. */
export async function besides(c: AppContext, what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    log(c, 'warn', 'left_undone', { what, cause: String(cause) })
  }
}
