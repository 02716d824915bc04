// The load of tokens that the verifier has never seen: another one for each request.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CONNECTIONS, loop, repeatWithWrk, WRK } from '../client.mjs'

/** More than any verifier checks here in a second; what is left over was signed for nothing. */
const TOKENS_A_SECOND = 15_000

/** The two halves of a target: tokens are signed before the clock starts. */
export function eachDistinct(port, route, newToken) {
  let tokens = []
  return {
    ready(seconds) {
      tokens = Array.from({ length: Math.ceil(seconds * TOKENS_A_SECOND) }, newToken)
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
