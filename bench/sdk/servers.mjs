// Sallyport with an API Worker beside it in one workerd, each on its own direct socket, as a service binding joins them when deployed.
import { randomBytes } from 'node:crypto'
import { miniflareOptions } from '../../scripts/bundle.mjs'
import { freePort, start, VARS } from '../server.mjs'
import { CLIENTS_TOML } from './oauth-client.mjs'

const HOST = '127.0.0.1'

/** ADMIN_TOKEN of every product that the bench starts. */
export const ADMIN_TOKEN = randomBytes(32).toString('base64url')

/**
 * @typedef {import('../server.mjs').Server & { apiPort: number }} PairServer `port` is Sallyport's
 * @param {{ product: string, api: string, bindings?: object, more?: object }} pair directories of two builds; the API's bindings;
 *   Miniflare's own options
 * @returns {Promise<PairServer>}
 */
export async function startPair(pair) {
  const apiPort = await freePort()
  const server = await start((port, persist) => describePair(pair, { port, apiPort, persist }))
  return { ...server, apiPort }
}

/** Miniflare's options for a pair. */
export async function describePair({ product, api, bindings = {}, more = {} }, { port, apiPort, persist }) {
  const vars = { ...VARS, SALLYPORT_SECRET: randomBytes(32).toString('base64url'), ADMIN_TOKEN, CLIENTS_TOML }
  const { workers, ...options } = await miniflareOptions({ bundle: product, host: HOST, ports: [port], vars, persist })
  const described = await miniflareOptions({ bundle: api, host: HOST, ports: [apiPort], vars: {}, persist })
  const { durableObjects: _, bindings: __, ...worker } = described.workers[0]
  const [{ name }] = workers
  const beside = {
    ...worker,
    name: 'api',
    bindings: { ISSUER: VARS.ISSUER, ...bindings },
    durableObjects: { SALLYPORT_ACCOUNTS: { className: 'Account', scriptName: name, useSQLite: true } },
    serviceBindings: { SALLYPORT: { name, entrypoint: 'Verifier' } },
  }
  return { ...options, ...more, workers: [...workers, beside] }
}
