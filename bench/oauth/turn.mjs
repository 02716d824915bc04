// Benches on one machine take turns: who holds the lock of a file measures.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Runs `work` while it holds the lock (flock(1)) of this file; at once without a file. */
export async function inTurn(file, work) {
  if (!file) return work()
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  const ended = once(holder, 'exit')
  try {
    return await work()
  } finally {
    holder.stdin.end()
    await ended
  }
}
