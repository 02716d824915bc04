/** Serves what others publish at addresses of their own (client metadata documents, key sets), and counts who asks. */
import { once } from 'node:events'
import { createServer } from 'node:http'

export type DocumentServer = {
  /** `http://localhost:PORT`. */
  origin: string
  /** By path; changed or deleted at will. */
  documents: Map<string, unknown>
  /** Every URL that was asked for: the one that was meant, when it stands in for the network (ServerOptions.outbound). */
  asked: string[]
  stop(): Promise<void>
}

export async function startDocumentServer(): Promise<DocumentServer> {
  const documents = new Map<string, unknown>()
  const asked: string[] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`)
    asked.push(`${request.headers['x-asked-for'] ?? url.href}`)
    const found = documents.get(url.pathname)
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json', connection: 'close' })
    response.end(found === undefined ? '{}' : JSON.stringify(found))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    origin: `http://localhost:${port}`,
    documents,
    asked,
    async stop() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
