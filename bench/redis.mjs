// A redis-server of the bench's own, where there is one: on loopback, with nothing on disk unless it is told to.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { freePort } from './server.mjs'

const REDIS_SERVER = process.env.REDIS_SERVER ?? 'redis-server'
const { error, stdout } = spawnSync(REDIS_SERVER, ['--version'], { encoding: 'utf8' })

/** Null where there is none. */
export const REDIS_VERSION = error ? null : (/v=([\d.]+)/.exec(stdout)?.[1] ?? 'of an unknown version')

/**
 * Null where there is none. `directory`: each write is appended to a file there, and flushed before it is answered (one flush for the
 * writes that wait together).
 */
export async function startRedis(directory = null) {
  if (REDIS_VERSION === null) return null
  const port = await freePort()
  const file = directory === null ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', 'always', '--dir', directory]
  const child = spawn(REDIS_SERVER, ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', ...file])
  const ended = once(child, 'exit')
  // It would outlive a bench that fails.
  process.once('exit', () => child.kill())
  await new Promise((resolve, reject) => {
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-10_000)
      if (output.includes('Ready to accept')) resolve()
    })
    ended.then(([code]) => reject(new Error(`redis-server ended with ${code}\n${output}`)), reject)
  })
  const stop = async () => {
    child.kill()
    await ended
  }
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid, stop }
}
