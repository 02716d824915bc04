import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after which a lock is nobody's: whoever holds one makes three requests at most, of ten seconds each. */
const HELD_MS = 40_000

/**
 * Runs `work` while no other process runs its own under the same file, and waits for that. A lock whose process has died, or that is too old,
 * is taken over; should two take it over at once, the issuer answers both with the same successor.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await isAcquired(file))) {
    if (await isHeld(file)) await sleep(50)
    else await removeDead(file)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function isAcquired(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.writeFile(String(process.pid))
    await handle.close()
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function isHeld(file: string): Promise<boolean> {
  try {
    if (Date.now() - (await stat(file)).mtimeMs > HELD_MS) return false
    const pid = Number(await readFile(file, 'utf8'))
    // Not written yet: somebody has just made it.
    return pid === 0 || isAlive(pid)
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** By another name first: of several that found it dead, one moves it away. */
async function removeDead(file: string): Promise<void> {
  const aside = `${file}.${process.pid}`
  await rename(file, aside).catch(() => {})
  await rm(aside, { force: true })
}
