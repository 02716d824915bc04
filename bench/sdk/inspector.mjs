// What a Worker's isolate holds, asked of the inspector after a garbage collection.

import { setTimeout as wait } from 'node:timers/promises'

const SETTLE_MS = 100

/** @param {number} port the inspector's @param {string} worker its name */
export async function openInspector(port, worker) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/core:user:${worker}`)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error('the inspector did not answer'))
  })
  const waiting = new Map()
  let last = 0
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data)
    waiting.get(id)?.(error ?? result)
    waiting.delete(id)
  }
  const send = (method, params = {}) =>
    new Promise((resolve) => {
      last += 1
      waiting.set(last, resolve)
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  await send('HeapProfiler.enable')
  return {
    send,
    close: () => socket.close(),
    /** Bytes held by JavaScript values, those in typed arrays included. `nudge` is a request to the Worker: it collects garbage only then. */
    async heapBytes(nudge) {
      for (let times = 0; times < 2; times++) {
        const collected = send('HeapProfiler.collectGarbage')
        await wait(SETTLE_MS)
        await nudge()
        await collected
      }
      const { usedSize, backingStorageSize = 0 } = await send('Runtime.getHeapUsage')
      return usedSize + backingStorageSize
    },
  }
}
