// What a verifier keeps of a million tokens, and whether bad ones push out good ones.
import { miniflareOptions } from '../../scripts/bundle.mjs'
import * as bundles from '../bundles.mjs'
import { Connection, jsonOf } from '../client.mjs'
import { freePort, start } from '../server.mjs'
import { openInspector } from './inspector.mjs'
import { worker } from './targets.mjs'
import { JWKS } from './tokens.mjs'

const A_REQUEST = 2500

/** A verifier in a workerd of its own, told what to do by `ask`; `heapMB` is what its isolate holds. */
async function withVerifier(work) {
  const inspectorPort = await freePort()
  const bundle = await bundles.bundle('sdk-memory', worker('memory'))
  const server = await start(async (port, persist) => {
    const { workers, ...options } = await miniflareOptions({ bundle, host: '127.0.0.1', ports: [port], vars: {}, persist })
    const [{ durableObjects: _, ...only }] = workers
    return { ...options, inspectorPort, workers: [{ ...only, name: 'api', bindings: { JWKS } }] }
  })
  const connection = await Connection.open(server.port)
  try {
    const ask = async (route) => jsonOf(await connection.request('GET', route))
    await ask('/keep')
    const { heapBytes, close } = await openInspector(inspectorPort, 'api')
    const answer = await work(ask, async () => (await heapBytes(() => ask('/good?count=1'))) / 1e6)
    close()
    return answer
  } finally {
    connection.close()
    await server.stop()
  }
}

/** The heap in MB after each tenth of `count` good tokens, all different. */
const distinct = (count) =>
  withVerifier(async (ask, heapMB) => {
    const sizes = [await heapMB()]
    for (let tokens = 0, step = count / 10; step <= count; step += count / 10) {
      for (; tokens < step; tokens += A_REQUEST) {
        const { accepted, of } = await ask(`/good?count=${A_REQUEST}`)
        if (accepted !== of) throw new Error(`${accepted} of ${of} good tokens were accepted`)
      }
      sizes.push(await heapMB())
    }
    return sizes
  })

/** Some good tokens, then `count` bad ones, then the good ones again. */
const flood = (count) =>
  withVerifier(async (ask, heapMB) => {
    const beforeMB = await heapMB()
    let accepted = 0
    for (let bad = 0; bad < count; bad += A_REQUEST) accepted += (await ask(`/bad?count=${A_REQUEST}`)).accepted
    const again = await ask('/again')
    return { bad: count, accepted, good: again.of, stillRemembered: again.of - again.signatures, beforeMB, afterMB: await heapMB() }
  })

/** Both at once: nothing here is timed. */
export async function measureMemory(count) {
  const [heapMB, flooded] = await Promise.all([distinct(count), flood(count)])
  return { tokens: count, heapMB, flood: flooded }
}
