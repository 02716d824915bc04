import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createVerifier, type Verifier, type VerifierOptions } from '../../../src/sdk/index.ts'
import { Issuer, type SigningKey, signToken } from '../issuer.ts'

/** An issuer on a loopback port of its own, over real HTTP, which can be made to lie. Its clock and the verifier's are real. */
export class FakeIssuer {
  readonly list: Issuer
  readonly requests = { jwks: 0, feed: 0 }
  /** Answers in the issuer's stead where it returns true. */
  lie: (request: IncomingMessage, response: ServerResponse) => boolean = () => false
  onUpgrade: (request: IncomingMessage, socket: Socket) => void = (_request, socket) => socket.destroy()
  /** Milliseconds by which the list's clock is ahead of the real one. */
  clockMs = 0
  readonly #sockets = new Set<Socket>()
  #server = createServer()
  #port = 0

  constructor(signingKey: SigningKey) {
    this.list = new Issuer(signingKey)
    this.list.header.epochStart = 0
  }

  get origin(): string {
    return `http://localhost:${this.#port}`
  }

  async start(): Promise<this> {
    const server = createServer(this.#answer)
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.on('upgrade', (request, socket: Socket) => this.onUpgrade(request, socket))
    this.#server = server
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (server.address() as AddressInfo).port
    return this
  }

  /** Goes away as a crash does: connections are cut. The port stays the same for the next `start`. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  verifier(options: Partial<VerifierOptions> = {}): Verifier {
    return createVerifier({ issuer: this.origin, audience: this.origin, ...options })
  }

  token(more: Record<string, unknown> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const { signingKey } = this.list
    const claims = { iss: this.origin, aud: this.origin, sub: 'account-1', client_id: 'first-party', scope: '', ver: 1, sid: 'session-1' }
    const times = { iat: now, exp: now + 300, jti: crypto.randomUUID() }
    return signToken(signingKey, { alg: 'ES256', kid: signingKey.kid, typ: 'at+jwt' }, { ...claims, ...times, ...more })
  }

  /** The feed after a cursor, at this moment of the list's clock. */
  feed(after: string | null): Promise<Uint8Array> {
    this.list.nowMs = Date.now() + this.clockMs
    return this.list.revocations(after)
  }

  readonly #answer: RequestListener = async (request, response) => {
    const url = new URL(request.url ?? '/', this.origin)
    const isFeed = url.pathname === '/revocations'
    this.requests[isFeed ? 'feed' : 'jwks']++
    if (this.lie(request, response)) return
    if (isFeed) response.setHeader('content-type', 'application/octet-stream').end(await this.feed(url.searchParams.get('after')))
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: this.list.keys }))
  }
}
