// A lock file that a dead process never holds: it names its owner, and a lock whose owner is gone is taken over.
import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { known, stillRuns } from './process-identity.mjs'

/**
 * Runs `work` while no other process runs its own under the same file; waits as long as that takes.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, work) {
  await mkdir(path.dirname(file), { recursive: true })
  while (!(await acquired(file))) await sleep(50)
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

/** @param {string} file */
async function acquired(file) {
  const unique = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(unique, JSON.stringify(await known(process.pid)))
  try {
    // The link appears with its content or not at all, so that no reader ever sees a lock without an owner.
    await link(unique, file)
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    await removeDead(file, unique)
    return false
  } finally {
    await rm(unique, { force: true })
  }
}

/**
 * Two waiters may both see the same dead owner, and the slower one would then remove the faster one's living lock: so the lock is moved
 * aside, read again, and put back when its owner lives.
 * @param {string} file
 * @param {string} unique
 */
async function removeDead(file, unique) {
  if (await isHeld(file)) return
  const aside = `${unique}.aside`
  try {
    await rename(file, aside)
    if (await isHeld(aside)) await link(aside, file)
  } catch {
    // Somebody was faster; the next try decides.
  } finally {
    await rm(aside, { force: true })
  }
}

/** @param {string} file */
async function isHeld(file) {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text === '') return false
  return await stillRuns(JSON.parse(text))
}
