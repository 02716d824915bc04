// The child process that owns one Miniflare and its workerd. It serves what its parent sends it, reports workerd's pid, and ends with its
// parent, with its workerd, or when told: nothing of it outlives anything else of it, but for a workerd whose owner was killed.
import { subscribe } from 'node:diagnostics_channel'
import { rm } from 'node:fs/promises'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { miniflareOptions } from './bundle.mjs'

/**
 * @typedef {{ server?: import('./bundle.mjs').ServerDescription, options?: import('miniflare').V4MiniflareOptions, temporary?: string }} Start
 *   either a description or finished options; `temporary` is deleted when the parent vanishes
 * @typedef {{ type: 'workerd', pid: number } | { type: 'ready' } | { type: 'failed', reason: string } | { type: 'crashed' }} Report
 */

const DISPOSE_MS = 2_000

/** @type {import('node:child_process').ChildProcess | undefined} */
let workerd
/** @type {Miniflare | undefined} */
let miniflare
/** @type {Start} */
let start = {}
let ready = false
let ending = false

/** @param {Report} message @param {() => void} [then] */
function report(message, then) {
  if (process.connected) process.send?.(message, undefined, undefined, () => then?.())
  else then?.()
}

// Miniflare would start a crashed workerd again by itself, behind our back and under a pid that nobody has recorded.
subscribe('child_process', (message) => {
  const child = /** @type {{ process: import('node:child_process').ChildProcess }} */ (message).process
  child.once('spawn', () => {
    if (!/workerd/.test(child.spawnfile) || child.pid === undefined) return
    workerd = child
    report({ type: 'workerd', pid: child.pid })
  })
  child.once('exit', () => {
    if (child !== workerd || !ready || ending) return
    ending = true
    void miniflare?.dispose()
    report({ type: 'crashed' }, () => process.exit(1))
    setTimeout(() => process.exit(1), 500)
  })
})

async function end() {
  ending = true
  const disposed = miniflare?.dispose().catch(() => {})
  await Promise.race([disposed, new Promise((resolve) => setTimeout(resolve, DISPOSE_MS))])
  if (workerd?.exitCode === null && workerd.signalCode === null) workerd.kill('SIGKILL')
}

process.on('message', async (message) => {
  if (message === 'stop') {
    await end()
    process.exit(0)
  }
  start = /** @type {Start} */ (message)
  try {
    const options = start.options ?? (start.server ? await miniflareOptions(start.server) : undefined)
    if (!options) throw new Error('nothing to serve')
    miniflare = new Miniflare(
      convertV4MiniflareOptions({
        ...options,
        handleStructuredLogs: ({ message }) => process.stdout.write(`${message}\n`),
      }),
    )
    await miniflare.ready
    ready = true
    report({ type: 'ready' })
  } catch (error) {
    ending = true
    report({ type: 'failed', reason: error instanceof Error ? error.message : String(error) })
  }
})

process.on('disconnect', async () => {
  await end()
  if (start.temporary) await rm(start.temporary, { recursive: true, force: true })
  process.exit(0)
})

// The parent hears these too, and decides; a reader of our output that has gone is no reason to end.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => {})
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
