// Rows written and object calls for each operation, counted on a bench-only build whose objects count; the timed runs know nothing of it.
import * as bundles from './bundles.mjs'
import { Connection, jsonOf } from './client.mjs'
import { accessToken, peopleAt, refresh, signIn, signUp } from './people.mjs'
import { startProduct } from './server.mjs'

const TIMES = 40

/**
 * @typedef {{ name: string, rowsWritten: number, alarms: number, calls: Record<string, number>, now_and_then: string[] }} Count
 *   each a mean of one operation; `now_and_then`: calls that less than every second operation makes
 */

async function operations(port) {
  const connection = await Connection.open(port)
  const [person] = await peopleAt(port, 1)
  const authorization = `Bearer ${await accessToken(connection, person)}`
  const get = (path, headers) => async () => jsonOf(await connection.request('GET', path, headers))
  let refreshToken = jsonOf(await signIn(connection, person, 'tokens')).refresh_token
  const list = [
    ...['offline', 'fresh', 'live'].map((freshness) => ({ name: freshness, once: get(`/api/demo/${freshness}`, { authorization }) })),
    { name: 'cookie', once: get('/api/demo/session', { cookie: `__Host-session=${person.session}` }) },
    {
      name: 'refresh',
      once: async () => {
        refreshToken = await refresh(connection, refreshToken)
      },
    },
    { name: 'access token for a cookie', once: () => accessToken(connection, person) },
    { name: 'sign-in', once: async () => jsonOf(await signIn(connection, person)) },
    { name: 'sign-up', once: () => signUp(connection) },
  ]
  return { list, counts: async () => jsonOf(await connection.request('GET', '/bench/counts')), close: () => connection.close() }
}

/** @returns {Promise<Count[]>} */
export async function countOperations() {
  const server = await startProduct(await bundles.counting())
  try {
    const { list, counts, close } = await operations(server.port)
    const answer = []
    for (const { name, once } of list) {
      await once()
      await counts()
      for (let done = 0; done < TIMES; done++) await once()
      const { calls, written, alarms } = await counts()
      const means = Object.entries(calls).map(([method, number]) => [method, number / TIMES])
      answer.push({
        name,
        rowsWritten: written / TIMES,
        alarms: alarms / TIMES,
        calls: Object.fromEntries(means.filter(([, number]) => number >= 0.5)),
        now_and_then: means.filter(([, number]) => number < 0.5).map(([method]) => method),
      })
    }
    close()
    return answer
  } finally {
    await server.stop()
  }
}
