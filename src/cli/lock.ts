import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after which a lock is nobody's: whoever holds one makes three requests at most, of ten seconds each. */
const HELD_MS = 40_000

/**
 * Runs `work` while no other process runs its own under the same file, and waits for that. A lock whose process has died, or that is too old,
 * is taken over; should two take it over at once, the issuer answers both with the same successor.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  let mine = await acquire(file)
  while (mine === null) {
    if (await isHeld(file)) await sleep(50)
    else await removeDead(file)
    mine = await acquire(file)
  }
  try {
    return await work()
  } finally {
    // A machine that slept meanwhile has lost it to another, whose lock is not ours to take away.
    if ((await markOf(file)) === mine) await rm(file, { force: true })
  }
}

/** What tells this lock from any later one of its name; null: somebody has it. */
async function acquire(file: string): Promise<string | null> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.writeFile(String(process.pid))
    await handle.close()
    return await markOf(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return null
    throw error
  }
}

async function markOf(file: string): Promise<string | null> {
  const found = await stat(file, { bigint: true }).catch(() => null)
  return found && `${found.ino} ${found.mtimeNs}`
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
