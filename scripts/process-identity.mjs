// Which process a pid means: pids are reused, so a recorded one is only trusted together with its birth and its command.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const HAS_PROC = existsSync('/proc/self/stat')
// Births count from boot.
const BOOT = HAS_PROC
  ? await readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
      (id) => id.trim(),
      () => '',
    )
  : ''

/** @typedef {{ pid: number, identity: string }} KnownProcess */

/**
 * A text that no other process of the same pid has; null when there is no such process, or only its unreaped remains.
 * @param {number} pid
 * @returns {Promise<string | null>}
 */
export async function identityOf(pid) {
  const status = await statusOf(pid)
  return status && !status.isZombie ? status.identity : null
}

/** @param {number} pid @returns {Promise<number | null>} */
export async function parentOf(pid) {
  return (await statusOf(pid))?.parent ?? null
}

/** @param {number} pid @returns {Promise<string>} the command line, arguments separated by spaces; empty when unknown */
export async function commandOf(pid) {
  if (!HAS_PROC) return (await ps(pid, 'command=')) ?? ''
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return text.replaceAll('\0', ' ').trim()
}

/** @param {number} pid @returns {Promise<KnownProcess | null>} */
export async function known(pid) {
  const identity = await identityOf(pid)
  return identity === null ? null : { pid, identity }
}

/** @param {KnownProcess | null | undefined} process @returns {Promise<boolean>} whether exactly this process still runs */
export async function stillRuns(process) {
  return process ? (await identityOf(process.pid)) === process.identity : false
}

/** @param {number} pid */
async function statusOf(pid) {
  if (!HAS_PROC) {
    const text = await ps(pid, 'ppid=,stat=,lstart=')
    const [, parent = '', state = '', birth = ''] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(text ?? '') ?? []
    return parent ? { parent: Number(parent), isZombie: state.startsWith('Z'), identity: birth } : null
  }
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The second field is the command in parentheses and may hold anything; the fields after it are plain (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state, parent, birth] = [fields[0], fields[1], fields[19]]
  return state && parent && birth
    ? { parent: Number(parent), isZombie: state === 'Z' || state === 'X', identity: `${BOOT} ${birth}` }
    : null
}

/** @param {number} pid @param {string} columns */
async function ps(pid, columns) {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', columns, '-p', String(pid)])
    return stdout.trim()
  } catch {
    return null
  }
}
