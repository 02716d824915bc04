import type { Client, Reply } from './http.ts'

export type Recorded = { what: string; reply: Reply<unknown> }

/** The same client, noting every reply that it gets in `replies`. */
export function recording(client: Client, replies: Recorded[]): Client {
  const request: Client['request'] = async <T>(...args: Parameters<Client['request']>) => {
    const [method, path] = args
    const reply = await client.request<T>(...args)
    replies.push({ what: `${method} ${path.slice(0, 80)}`, reply })
    return reply
  }
  return {
    ...client,
    request,
    get: (path, headers) => request('GET', path, undefined, headers),
    post: (path, body, headers) => request('POST', path, body, headers),
    put: (path, body, headers) => request('PUT', path, body, headers),
    delete: (path, headers) => request('DELETE', path, undefined, headers),
  }
}

/** What a reply lacks of what every reply must say, and every 5xx; one sentence each. */
export function faultsOf({ what, reply }: Recorded): string[] {
  const { status, headers } = reply
  const policy = String(headers['content-security-policy'] ?? '')
  const faults = [
    ...(status >= 500 ? ['a 5xx'] : []),
    ...(headers['cache-control'] ? [] : ['no Cache-Control']),
    ...(headers['x-content-type-options'] === 'nosniff' ? [] : ['no nosniff']),
    ...(headers['referrer-policy'] ? [] : ['no Referrer-Policy']),
    ...(/frame-ancestors 'none'/.test(policy) ? [] : ['no frame-ancestors']),
    ...(/unsafe-/.test(policy) ? ['an unsafe policy'] : []),
    ...(/^[\w-]{8,}$/.test(String(headers['x-request-id'] ?? '')) ? [] : ['no request id']),
    ...(headers.server || headers['x-powered-by'] ? ['says what serves it'] : []),
  ]
  return faults.map((fault) => `${what} answered ${status}: ${fault}`)
}
