// The server behind TLS, as it is deployed: an https issuer on loopback that this process trusts.
import { once } from 'node:events'
import { connect } from 'node:net'
import { createServer, getCACertificates, setDefaultCACertificates, type Server as TlsServer } from 'node:tls'
import { makeCertificate } from './certificate.ts'
import { type Server, type ServerOptions, startServer } from './server.ts'

export type SecureServer = {
  /** `https://localhost:PORT`, which is the ISSUER. */
  issuer: string
  server: Server
  stop(): Promise<void>
}

/** Starts the bundle as `startServer` does, with an https issuer. Every TLS client of this process trusts its certificate from then on. */
export async function startSecureServer({ vars = {}, ...options }: ServerOptions = {}): Promise<SecureServer> {
  const certificate = makeCertificate()
  setDefaultCACertificates([...getCACertificates('default'), certificate.cert])
  let port = 0
  const front = createServer(certificate, (outside) => {
    const inside = connect({ host: '127.0.0.1', port })
    outside.on('error', () => inside.destroy())
    inside.on('error', () => outside.destroy())
    outside.pipe(inside).pipe(outside)
  }).listen(0, '127.0.0.1')
  await once(front, 'listening')
  const issuer = `https://localhost:${portOf(front)}`
  const server = await startServer({ ...options, vars: { ...vars, ISSUER: issuer } })
  port = Number(new URL(server.origin).port)
  return {
    issuer,
    server,
    async stop() {
      front.close()
      await server.stop()
    },
  }
}

function portOf(server: TlsServer): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
