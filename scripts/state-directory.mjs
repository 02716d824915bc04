// Who serves a state directory. Two servers over one directory would be two copies of every object, so a start claims it first; and workerd
// outlives a killed parent and keeps the port, so the claim names the processes that the next start may have to end.
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withLock } from './lock.mjs'
import { known, stillRuns } from './process-identity.mjs'
import { Refusal } from './toolchain.mjs'

/**
 * @typedef {import('./process-identity.mjs').KnownProcess} KnownProcess
 * @typedef {{ port: number, script: KnownProcess, launcher?: KnownProcess | null, server?: KnownProcess | null, workerd?: KnownProcess | null }} Claim
 *   `script` is start.mjs, `launcher` the npm above it, `server` serve.mjs
 */

const END_MS = 10_000
const START_MS = 60_000
const SECOND_LOOK_MS = 1_500

/**
 * Claims the directory for this process, once whatever a crash left of an earlier server has ended.
 * @param {string} directory
 * @param {{ port: number, launcher: KnownProcess | null }} own
 * @throws {Refusal} when a living server serves it
 */
export async function claim(directory, { port, launcher }) {
  // Addresses, password hashes and wrapped keys lie in it.
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const file = path.join(directory, 'start.json')
  const script = await known(process.pid)
  if (!script) throw new Error('this process cannot see itself')
  /** @type {Claim} */
  let own = { port, script, launcher }
  await withLock(path.join(directory, 'start.lock'), async () => {
    await vacate(file, directory)
    await write(file, own)
  })
  let written = Promise.resolve()
  return {
    /** @param {Partial<Claim>} more */
    update(more) {
      own = { ...own, ...more }
      written = written.then(() => write(file, own))
      return written
    },
    async release() {
      await written
      await rm(file, { force: true })
    },
  }
}

/** @param {string} file @param {string} directory */
async function vacate(file, directory) {
  const deadline = Date.now() + START_MS
  let seenServing = 0
  for (;;) {
    const found = await read(file)
    if (!found) return
    if (found.script.pid === process.pid || !(await stillRuns(found.script))) return await endLeftovers(found)
    if (found.launcher && !(await stillRuns(found.launcher))) {
      // Its npm was killed; it would notice within a second. We do not wait.
      await end(found.script, 'SIGTERM')
      continue
    }
    const serves = (await stillRuns(found.server)) && (await stillRuns(found.workerd))
    // A server that is just falling apart still looks alive for a moment.
    if (!serves) seenServing = 0
    else if (seenServing === 0) seenServing = Date.now()
    if ((serves && Date.now() - seenServing > SECOND_LOOK_MS) || Date.now() > deadline) {
      throw new Refusal(`The state in ${directory} is already served on port ${found.port} by process ${found.script.pid}.`)
    }
    await sleep(100)
  }
}

/** @param {Claim} claim */
async function endLeftovers({ server, workerd }) {
  // serve.mjs ends itself, and its workerd, when its parent has gone; what was killed with the parent cannot.
  for (const leftover of [server, workerd]) if (leftover) await end(leftover, 'SIGKILL')
}

/** @param {KnownProcess} process_ @param {NodeJS.Signals} signal */
async function end(process_, signal) {
  const deadline = Date.now() + END_MS
  if (await stillRuns(process_)) process.kill(process_.pid, signal)
  while (await stillRuns(process_)) {
    if (Date.now() > deadline) process.kill(process_.pid, 'SIGKILL')
    await sleep(20)
  }
}

/** @param {string} file @returns {Promise<Claim | null>} */
async function read(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch {
    return null
  }
}

/** @param {string} file @param {Claim} claim */
async function write(file, claim) {
  const temporary = `${file}.${process.pid}`
  await writeFile(temporary, `${JSON.stringify(claim)}\n`)
  await rename(temporary, file)
}
