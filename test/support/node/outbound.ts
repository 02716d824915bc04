/** Stands where the network would be (ServerOptions.outbound): counts and keeps every request that leaves the Worker or one of its objects. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'

/** A request as it left, by the URL that was meant; headers as they came, without what the way to the stub adds. */
export type Left = { url: string; method: string; headers: Record<string, unknown>; body: string }

export type Answer = (response: ServerResponse) => void

export type Outbound = {
  origin: string
  /** In the order of arrival. */
  left: Left[]
  /** By the whole URL; what has no answer here is 404. */
  answers: Map<string, Answer>
  /** Takes what has left so far out of the list. */
  take(): Left[]
  stop(): Promise<void>
}

export const json =
  (value: unknown): Answer =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value))

export async function startOutbound(): Promise<Outbound> {
  const left: Left[] = []
  const answers = new Map<string, Answer>()
  const server = createServer(async (request, response) => {
    const { host: _, 'cf-worker': __, 'x-asked-for': url, ...headers } = request.headers
    const it = { url: String(url), method: request.method ?? '', headers, body: '' }
    left.push(it)
    for await (const chunk of request) it.body += chunk
    const answer = answers.get(it.url)
    if (answer) answer(response)
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    origin: `http://localhost:${port}`,
    left,
    answers,
    take: () => left.splice(0),
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
