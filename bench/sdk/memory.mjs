// What a verifier keeps of a million tokens, and whether bad ones push out good ones.

import { miniflareOptions } from '../../scripts/bundle.mjs'
import * as bundles from '../bundles.mjs'
import { Connection, jsonOf } from '../client.mjs'
import { freePort, start } from '../server.mjs'
import { openInspector } from './inspector.mjs'
import { worker } from './targets.mjs'
import { JWKS } from './tokens.mjs'

const A_REQUEST = 2500

/** @returns {Promise<{ tokens: number, heapMB: { tokens: number, MB: number }[], flood: object }>} */
export async function measureMemory(count) {
  const inspectorPort = await freePort()
  const bundle = await bundles.bundle('sdk-memory', worker('memory'))
  const server = await start(async (port, persist) => {
    const { workers, ...options } = await miniflareOptions({ bundle, host: '127.0.0.1', ports: [port], vars: {}, persist })
    const [{ durableObjects: _, ...only }] = workers
    return { ...options, inspectorPort, workers: [{ ...only, name: 'api', bindings: { JWKS } }] }
  })
  const connection = await Connection.open(server.port)
  const ask = async (route) => jsonOf(await connection.request('GET', route))
  try {
    await ask('/keep')
    const { heapBytes, close } = await openInspector(inspectorPort, 'api')
    const heapNow = async () => (await heapBytes(() => ask('/good?count=1'))) / 1e6
    const heapMB = [{ tokens: 0, MB: await heapNow() }]
    for (let tokens = 0; tokens < count; ) {
      for (const step = tokens + count / 10; tokens < step; tokens += A_REQUEST) {
        const { accepted, of } = await ask(`/good?count=${A_REQUEST}`)
        if (accepted !== of) throw new Error(`${accepted} of ${of} good tokens were accepted`)
      }
      heapMB.push({ tokens, MB: await heapNow() })
    }
    await ask('/keep')
    const flood = { bad: 0, accepted: 0 }
    for (; flood.bad < count; flood.bad += A_REQUEST) flood.accepted += (await ask(`/bad?count=${A_REQUEST}`)).accepted
    const again = await ask('/again')
    const afterFloodMB = await heapNow()
    close()
    return { tokens: count, heapMB, flood: { ...flood, good: again.of, stillRemembered: again.of - again.signatures, afterFloodMB } }
  } finally {
    connection.close()
    await server.stop()
  }
}
