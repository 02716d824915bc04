// The load: `wrk` where one request is repeated and it is on the path, else closed loops on keep-alive connections of our own, which cost
// less than `node:http` and leave the machine to the server.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'

export const CONNECTIONS = 32

/** A request without an answer for so long has failed. */
const TIMEOUT_MS = 10_000

export const WRK = spawnSync('wrk', ['-v']).error === undefined

/** One keep-alive connection; one request at a time. */
export class Connection {
  #socket
  #port
  #received = Buffer.alloc(0)
  #settle = null

  static async open(port) {
    const connection = new Connection(port)
    await once(connection.#socket, 'connect')
    return connection
  }

  constructor(port) {
    this.#port = port
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true })
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', (error) => this.#settle?.reject(error))
    this.#socket.setTimeout(TIMEOUT_MS, () => this.#settle?.reject(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    this.#socket.on('close', () => this.#settle?.reject(new Error('the connection was closed')))
  }

  /** @returns {Promise<{ status: number, head: string, text: string }>} */
  request(method, path, headers = {}, body = undefined) {
    const lines = [`${method} ${path} HTTP/1.1`, `host: 127.0.0.1:${this.#port}`]
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
    if (body !== undefined) lines.push(`content-length: ${Buffer.byteLength(body)}`)
    return new Promise((resolve, reject) => {
      if (this.#socket.closed) reject(new Error('the connection was closed'))
      this.#settle = { resolve, reject }
      this.#socket.write(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
    })
  }

  close() {
    this.#settle = null
    this.#socket.destroy()
  }

  #receive(chunk) {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const reply = readReply(this.#received)
    if (!reply) return
    this.#received = this.#received.subarray(reply.end)
    const settle = this.#settle
    this.#settle = null
    settle?.resolve(reply)
  }
}

/** The reply that the bytes begin with; null while it is not all there. workerd answers with a length or in chunks. */
function readReply(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return null
  const head = bytes.latin1Slice(0, headEnd)
  const status = Number(head.slice(9, 12))
  const start = headEnd + 4
  const length = /\r\ncontent-length: (\d+)/i.exec(head)
  if (length) {
    const end = start + Number(length[1])
    return bytes.length < end ? null : { status, head, text: bytes.utf8Slice(start, end), end }
  }
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return { status, head, text: '', end: start }
  let text = ''
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd < 0) return null
    const size = Number.parseInt(bytes.latin1Slice(at, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (bytes.length < next) return null
    if (size === 0) return { status, head, text, end: next }
    text += bytes.utf8Slice(lineEnd + 2, lineEnd + 2 + size)
    at = next
  }
}

/** The value of a cookie that a reply sets. */
export function cookieOf({ head }, name) {
  return new RegExp(`set-cookie: ${name}=([^;\\r]*)`, 'i').exec(head)?.[1]
}

/** A reply's JSON; throws what came instead. */
export function jsonOf({ status, text }) {
  if (status >= 300) throw new Error(`${status} ${text.slice(0, 300)}`)
  return JSON.parse(text)
}

/** One GET again and again. Answers how many were answered, and how many of those were not 2xx. */
export function repeat(port, path, headers, seconds) {
  return WRK ? repeatWithWrk(port, path, headers, seconds) : repeatInLoops(port, path, headers, seconds)
}

/** `options` are wrk's own, a script for example. */
export async function repeatWithWrk(port, path, headers, seconds, options = []) {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const wrk = spawn('wrk', [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    '--latency',
    ...options,
    ...given,
    `http://127.0.0.1:${port}${path}`,
  ])
  let output = ''
  wrk.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  await once(wrk, 'close')
  const count = /(\d+) requests in/.exec(output)
  if (!count) throw new Error(`wrk: ${output}`)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output)
  const failed = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0)
  const broken = errors ? errors.slice(1).reduce((sum, text) => sum + Number(text), 0) : 0
  const [, p50, unit] = /^\s+50%\s+([\d.]+)(us|ms|s)/m.exec(output) ?? []
  return { count: Number(count[1]), failed: failed + broken, p50Ms: Number(p50) * { us: 0.001, ms: 1, s: 1000 }[unit] }
}

function repeatInLoops(port, path, headers, seconds) {
  const step = async (connection) => {
    const { status } = await connection.request('GET', path, headers)
    if (status !== 200) throw new Error(`${status}`)
  }
  return loop(port, Array(CONNECTIONS).fill(null), step, seconds)
}

/**
 * Closed loops, a connection each: every loop follows its own state from step to step. `states` is left as it has become, so that the
 * next run goes on from there. A loop whose step fails has ended; it counts as failed.
 */
export async function loop(port, states, step, seconds) {
  const end = performance.now() + seconds * 1000
  return closedLoops(port, states.length, async (connection, index, timed) => {
    while (performance.now() < end) states[index] = await timed(step(connection, states[index]))
  })
}

/** One step for each state, whatever time it takes. */
export async function each(port, states, step) {
  return closedLoops(port, CONNECTIONS, async (connection, index, timed) => {
    for (let at = index; at < states.length; at += CONNECTIONS) states[at] = await timed(step(connection, states[at]))
  })
}

async function closedLoops(port, count, body) {
  const connections = await Promise.all(Array.from({ length: count }, () => Connection.open(port)))
  const latencies = []
  let failed = 0
  let reason
  const timed = async (work) => {
    const startedMs = performance.now()
    const answer = await work
    latencies.push(performance.now() - startedMs)
    return answer
  }
  await Promise.all(
    connections.map(async (connection, index) => {
      try {
        await body(connection, index, timed)
      } catch (error) {
        failed += 1
        reason = String(error)
      }
    }),
  )
  for (const connection of connections) connection.close()
  latencies.sort((a, b) => a - b)
  return { count: latencies.length, failed, reason, p50Ms: latencies[latencies.length >> 1] ?? Number.NaN }
}
