// A million live denials that came one by one, each with a call of its own: what each costs the list, and what the list is to its readers.
import { Connection, jsonOf } from '../client.mjs'
import { post } from '../people.mjs'

/** So many are added in one request; between two of them others have their turn. */
const CHUNK = 10_000
/** Acknowledged one after the other, each over a call from the Worker. */
const CALLS = 1000
const ROUNDS = 5
/** Seconds that the denials live: longer than anything here takes. */
const LIFE = 3600

async function timed(work) {
  const from = performance.now()
  await work()
  return performance.now() - from
}

/** A connection of its own: one that was idle as long as the adding takes would have been closed. */
async function measureView(server) {
  const api = await Connection.open(server.apiPort)
  const ask = async (route) => jsonOf(await api.request('POST', route, {}, ''))
  try {
    const { bytes: snapshotBytes } = await ask('/view/snapshot')
    const buildMs = []
    for (let round = 0; round < ROUNDS; round++) buildMs.push(await timed(() => ask('/view/build/1')))
    return { snapshotBytes, buildMs }
  } finally {
    api.close()
  }
}

/** @param {Awaited<ReturnType<import('./proof.mjs').startProof>>} server */
export async function measureSingles(server, count) {
  const product = await Connection.open(server.port)
  const end = Math.floor(Date.now() / 1000) + LIFE
  try {
    const snapshot = async () => (await fetch(`http://127.0.0.1:${server.port}/revocations`)).arrayBuffer()
    const addUs = []
    let rowsWritten = 0
    for (let held = 0; held < count; held += CHUNK) {
      const part = Math.min(CHUNK, count - held)
      const ms = await timed(async () => {
        rowsWritten += jsonOf(await post(product, '/bench/deny-singly', { count: part, end })).rowsWritten
      })
      addUs.push((ms * 1000) / part)
    }
    const snapshotMs = []
    for (let round = 0; round < ROUNDS; round++) snapshotMs.push(await timed(snapshot))
    const { snapshotBytes, buildMs } = await measureView(server)
    const callMs = []
    for (let call = 0; call < CALLS; call++) callMs.push(await timed(() => post(product, '/bench/deny', { count: 1, end })))
    return { count, addUs, rowsWritten, snapshotMs, snapshotBytes, buildMs, callMs }
  } finally {
    product.close()
  }
}
