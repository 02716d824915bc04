// One Worker in one workerd process, behind a direct socket: no development proxy, no entry Worker, no request log.
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { miniflareOptions } from '../scripts/bundle.mjs'
import { NODE, ROOT, toolEnvironment } from '../scripts/toolchain.mjs'

/** @typedef {{ port: number, pid: number, output: () => string, stop: () => Promise<void> }} Server `pid` is workerd's own */

/** The product in production's mode; the issuer is a name, the socket is what is talked to. */
export const VARS = {
  SALLYPORT_ENV: 'production',
  ISSUER: 'https://auth.example.test',
  LAB: 'on',
  SIGN_UP: 'immediate',
}

/** @param {string} bundle directory @param {Record<string, string>} more over the defaults @returns {Promise<Server>} */
export function startProduct(bundle, more = {}) {
  const vars = { ...VARS, ...more, SALLYPORT_SECRET: randomBytes(32).toString('base64url') }
  return start((port, persist) => miniflareOptions({ bundle, host: '127.0.0.1', ports: [port], vars, persist }))
}

/** Another Worker, with the product's compatibility date and the same kind of state on the same disk. */
export function startWorker(bundle, more = () => ({})) {
  return start(async (port, persist) => {
    const { workers, ...options } = await miniflareOptions({ bundle, host: '127.0.0.1', ports: [port], vars: {}, persist })
    const [{ durableObjects: _, bindings: __, ...worker }] = workers
    return { ...options, workers: [{ ...worker, name: 'worker', ...more(port) }] }
  })
}

/** Any description of a Miniflare, given a free port and a directory for its state. Somebody else may take the port before workerd does. */
export async function start(describe) {
  for (let tries = 1; ; tries++) {
    try {
      return await startOnce(describe)
    } catch (error) {
      if (tries === 5 || !/in use/i.test(String(error))) throw error
    }
  }
}

async function startOnce(describe) {
  const state = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  const port = await freePort()
  let output = ''
  const host = fork(path.join(ROOT, 'scripts', 'serve.mjs'), {
    execPath: NODE,
    execArgv: ['--no-warnings'],
    env: toolEnvironment({ WRANGLER_LOG: 'error' }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  for (const stream of [host.stdout, host.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-10_000)
    })
  }
  host.send({ options: await describe(port, state), temporary: state })
  const pid = await new Promise((resolve, reject) => {
    let workerd = 0
    host.on('message', (report) => {
      if (report.type === 'workerd') workerd = report.pid
      else if (report.type === 'ready') resolve(workerd)
      else if (report.type === 'failed') reject(new Error(`${report.reason}\n${output}`))
    })
    host.once('exit', (code) => reject(new Error(`the server ended with ${code}\n${output}`)))
  })
  async function stop() {
    if (host.exitCode === null && host.signalCode === null) {
      const ended = once(host, 'exit')
      host.send('stop')
      await ended
    }
    await rm(state, { recursive: true, force: true })
  }
  return { port, pid, output: () => output, stop }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

const TICKS_PER_SECOND = 100

/** User and system time of a process so far, in milliseconds (proc(5), "stat"). */
export async function cpuMs(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
}
