// Where an app under test is served: a loopback port, known before the app is made, for its redirect URI names it.
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'

export type App = { origin: string; close(): Promise<void> }

/** Serves what `make` makes for its own origin, under a name of the loopback. */
export async function serveApp(make: (origin: string) => RequestListener | Promise<RequestListener>, host = 'localhost'): Promise<App> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://${host}:${address.port}`
  server.on('request', await make(origin))
  return {
    origin,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
