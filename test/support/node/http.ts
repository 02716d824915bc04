// A small HTTP client for black-box tests: one keep-alive connection pool and one cookie jar a client, nothing followed, nothing retried.
import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import { connect } from 'node:net'

export type Body = string | Uint8Array | URLSearchParams | object | undefined

export class Reply<T = Record<string, unknown>> {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  constructor(status: number, headers: IncomingHttpHeaders, bytes: Buffer) {
    this.status = status
    this.headers = headers
    this.bytes = bytes
  }

  get text(): string {
    return this.bytes.toString('utf8')
  }

  /** The parsed body; throws, with the status and the text, when it is not JSON. */
  get json(): T {
    try {
      return JSON.parse(this.text)
    } catch {
      throw new Error(`${this.status} with ${this.headers['content-type'] ?? 'no type'} is not JSON: ${this.text.slice(0, 500)}`)
    }
  }

  /** The `Set-Cookie` lines as they came. */
  get setCookies(): string[] {
    return this.headers['set-cookie'] ?? []
  }
}

export type Client = ReturnType<typeof createClient>

/**
 * A client of one origin (paths may also be whole URLs). Cookies are kept and sent by name alone: every one is `__Host-` or test-made.
 * An object is sent as JSON, `URLSearchParams` as a form. A `cookie` header of the caller replaces the jar for that request.
 */
export function createClient(origin: string, cookies: Map<string, string> = new Map()) {
  const { Agent, request: send } = origin.startsWith('https:') ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })

  async function request<T = Record<string, unknown>>(method: string, path: string, body?: Body, headers: OutgoingHttpHeaders = {}) {
    const { type, bytes } = encode(body)
    const outgoing = send(new URL(path, origin), {
      method,
      agent,
      family: 4,
      headers: {
        ...(type ? { 'content-type': type } : {}),
        ...(bytes ? { 'content-length': bytes.byteLength } : {}),
        ...(cookies.size > 0 ? { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } : {}),
        ...lowercased(headers),
      },
    })
    outgoing.end(bytes)
    const [incoming] = await once(outgoing, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    const reply = new Reply<T>(incoming.statusCode, incoming.headers, Buffer.concat(chunks))
    for (const line of reply.setCookies) keep(cookies, line)
    return reply
  }

  return {
    origin,
    cookies,
    request,
    get: <T = Record<string, unknown>>(path: string, headers?: OutgoingHttpHeaders) => request<T>('GET', path, undefined, headers),
    post: <T = Record<string, unknown>>(path: string, body?: Body, headers?: OutgoingHttpHeaders) =>
      request<T>('POST', path, body, headers),
    put: <T = Record<string, unknown>>(path: string, body?: Body, headers?: OutgoingHttpHeaders) => request<T>('PUT', path, body, headers),
    delete: <T = Record<string, unknown>>(path: string, headers?: OutgoingHttpHeaders) => request<T>('DELETE', path, undefined, headers),
    close: () => agent.destroy(),
  }
}

function encode(body: Body): { type?: string; bytes?: Uint8Array } {
  if (body === undefined) return {}
  if (body instanceof Uint8Array) return { bytes: body }
  if (typeof body === 'string') return { bytes: Buffer.from(body) }
  if (body instanceof URLSearchParams) return { type: 'application/x-www-form-urlencoded', bytes: Buffer.from(body.toString()) }
  return { type: 'application/json', bytes: Buffer.from(JSON.stringify(body)) }
}

function lowercased(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function keep(cookies: Map<string, string>, line: string): void {
  const [pair = '', ...attributes] = line.split(';')
  const name = pair.slice(0, pair.indexOf('=')).trim()
  const value = pair.slice(pair.indexOf('=') + 1).trim()
  const ended = attributes.some((attribute) => {
    const [key = '', time = ''] = attribute.trim().split('=')
    if (key.toLowerCase() === 'max-age') return Number(time) <= 0
    return key.toLowerCase() === 'expires' && Date.parse(time) <= Date.now()
  })
  if (ended) cookies.delete(name)
  else cookies.set(name, value)
}

export type RawRequest = { method?: string; path: string; headers?: Record<string, string>; body?: Body }

/**
 * Sends one request on a connection of its own and resets it (RST) `ms` after the last byte was written, whatever has come back by then:
 * the client that vanishes. With 0 the reset may overtake the request itself. Answers what had been received.
 */
export async function resetAfter(origin: string, { method = 'POST', path, headers = {}, body }: RawRequest, ms: number): Promise<string> {
  const { hostname, port, host } = new URL(origin)
  const { type, bytes = Buffer.alloc(0) } = encode(body)
  const lines = { host, ...(type ? { 'content-type': type } : {}), 'content-length': `${bytes.byteLength}`, ...headers }
  const head = [`${method} ${path} HTTP/1.1`, ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  const socket = connect({ host: hostname, port: Number(port), family: 4, noDelay: true })
  await once(socket, 'connect')
  let received = ''
  socket.setEncoding('utf8').on('data', (text) => {
    received += text
  })
  socket.on('error', () => {})
  await new Promise<void>((resolve) => socket.write(Buffer.concat([Buffer.from(head), bytes]), () => resolve()))
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (!socket.destroyed) {
    socket.resetAndDestroy()
    await closed
  }
  return received
}
