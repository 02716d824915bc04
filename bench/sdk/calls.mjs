// What a verified request asks of the issuer, counted at the service binding while tokens are verified under load.
import { Connection, jsonOf, repeat } from '../client.mjs'
import { accessToken, signUp } from '../people.mjs'

/** @returns {Promise<{ seconds: number, requests: number, jwks: number, revocations: number, check: number }>} */
export async function countCalls({ port, apiPort }, seconds) {
  const product = await Connection.open(port)
  try {
    const authorization = `Bearer ${await accessToken(product, await signUp(product))}`
    await repeat(apiPort, '/fresh', { authorization }, 1)
    const calls = async () => jsonOf(await product.request('GET', '/bench/calls'))
    const before = await calls()
    const fromMs = performance.now()
    const { count } = await repeat(apiPort, '/fresh', { authorization }, seconds)
    const after = await calls()
    const since = Object.entries(after).map(([name, number]) => [name, number - before[name]])
    return { seconds: (performance.now() - fromMs) / 1000, requests: count, ...Object.fromEntries(since) }
  } finally {
    product.close()
  }
}
