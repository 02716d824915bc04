// The two loads of a route: one credential that is repeated, and tokens that nobody has seen, another one for each request. What they need is
// made before the clock starts.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONNECTIONS, Connection, loop, repeat, repeatWithWrk, WRK } from '../client.mjs'

/** More than any verifier checks here in a second; what is left over was signed for nothing. */
const TOKENS_A_SECOND = 15_000

/**
 * Between its turns a target falls asleep: an object after 10 s, a view of the list past its bound. Under steady traffic neither does, so
 * that waking up is no part of what a request costs.
 */
async function wake(port, route, headers) {
  const connection = await Connection.open(port)
  for (let requests = 0; requests < 3; requests++) {
    const { status } = await connection.request('GET', route, headers)
    if (status !== 200) throw new Error(`${route}: ${status}`)
    await sleep(50)
  }
  connection.close()
}

/** The two halves of a target that repeats one request. */
export function eachTheSame(port, route, headersFor) {
  let headers
  return {
    async ready() {
      headers = await headersFor()
      await wake(port, route, headers)
    },
    run: (seconds) => repeat(port, route, headers, seconds),
  }
}

/** The two halves of a target that never sees a token twice. */
export function eachDistinct(port, route, newToken) {
  let tokens = []
  return {
    async ready(seconds) {
      tokens = Array.from({ length: Math.ceil(seconds * TOKENS_A_SECOND) }, newToken)
      await wake(port, route, { authorization: `Bearer ${newToken()}` })
    },
    run: (seconds) => spend(port, route, tokens, seconds),
  }
}

/** @returns {Promise<import('../targets.mjs').Run>} */
async function spend(port, route, tokens, seconds) {
  if (!WRK) return inLoops(port, route, tokens, seconds)
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-bench-'))
  try {
    const file = path.join(directory, 'tokens')
    await writeFile(file, tokens.join('\n'))
    // wrk gives its script no other way of being told; it runs out of tokens by failing.
    process.env.SALLYPORT_BENCH_TOKENS = file
    return await repeatWithWrk(port, route, {}, seconds, ['-s', path.join(import.meta.dirname, 'distinct.lua')])
  } finally {
    await rm(directory, { recursive: true })
  }
}

function inLoops(port, route, tokens, seconds) {
  const step = async (connection) => {
    const { status } = await connection.request('GET', route, { authorization: `Bearer ${tokens.pop()}` })
    if (status !== 200) throw new Error(`${status}`)
  }
  return loop(port, Array(CONNECTIONS).fill(null), step, seconds)
}
