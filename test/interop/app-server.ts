// Where an app under test is served: a free loopback port.
import { once } from 'node:events'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import { freePorts } from '../support/node/server.ts'

export type App = { origin: string; close(): Promise<void> }

type Fetch = (request: Request) => Response | Promise<Response>

/** Serves what `make` makes for its own origin, under a name of the loopback. */
export async function serveApp(make: (origin: string) => Fetch | Promise<Fetch>, host = 'localhost'): Promise<App> {
  const [port = 0] = await freePorts(1)
  const origin = `http://${host}:${port}`
  const server = serve({ fetch: await make(origin), port, hostname: '127.0.0.1' })
  await once(server, 'listening')
  return { origin, close: () => closed(server as Server) }
}

export async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
