/** A client's back-channel logout endpoint (OpenID Connect Back-Channel Logout, 2.5), which can refuse, hang and be away. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Delivery = {
  method: string
  contentType: string
  /** Parameters of the body, as they came. */
  form: URLSearchParams
  token: string
  /** Whether whoever sent it has hung up before it was answered. */
  readonly abandoned: boolean
  answer(status: number): void
}

export type LogoutReceiver = {
  uri: string
  /** The next delivery that nobody has taken yet, answered with 200 unless `hold` says that the taker answers. */
  next(hold?: boolean): Promise<Delivery>
  /** Deliveries that came and that nobody has taken. */
  readonly waiting: number
  /** Listens no more: connections are refused. */
  leave(): Promise<void>
  /** Listens again, at the same port. */
  comeBack(): Promise<void>
  stop(): Promise<void>
}

export async function logoutReceiver(): Promise<LogoutReceiver> {
  const queue: Delivery[] = []
  const takers: ((delivery: Delivery) => void)[] = []
  let listener: Server
  let port = 0

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const form = new URLSearchParams(Buffer.concat(chunks).toString())
    const delivery: Delivery = {
      method: request.method ?? '',
      contentType: request.headers['content-type'] ?? '',
      form,
      token: form.get('logout_token') ?? '',
      get abandoned() {
        return response.destroyed && !response.writableEnded
      },
      answer: (status) => {
        response.writeHead(status, { 'cache-control': 'no-store', connection: 'close' }).end()
      },
    }
    const taker = takers.shift()
    if (taker) taker(delivery)
    else queue.push(delivery)
  }

  async function listen(): Promise<void> {
    listener = createServer((request, response) => void receive(request, response)).listen(port, '127.0.0.1')
    await once(listener, 'listening')
    port = (listener.address() as AddressInfo).port
  }

  async function leave(): Promise<void> {
    const closed = once(listener, 'close')
    listener.close()
    listener.closeAllConnections()
    await closed
  }

  await listen()
  return {
    uri: `http://127.0.0.1:${port}/backchannel-logout`,
    async next(hold = false) {
      const delivery = queue.shift() ?? (await new Promise<Delivery>((resolve) => takers.push(resolve)))
      if (!hold) delivery.answer(200)
      return delivery
    },
    get waiting() {
      return queue.length
    },
    leave,
    comeBack: listen,
    stop: () => (listener.listening ? leave() : Promise.resolve()),
  }
}
