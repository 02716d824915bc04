/** Requests that no client of ours would send: shaped like ours, wrong somewhere. */
import { once } from 'node:events'
import { Agent, request as open } from 'node:http'
import { body } from './hostile-body.ts'
import { encodeForm, formFields, type OAuthKnowledge } from './hostile-form.ts'
import type { Random } from './random.ts'

export type HostileRequest = { method: string; path: string; headers: Record<string, string>; body?: Buffer }

/** `late`: nothing within the time limit. `closed`: the connection ended without a reply. */
export type HostileReply = { status: number | 'late' | 'closed'; text: string }

/** What a caller knows: paths of the service, and credentials of its own. */
export type Knowledge = {
  origin: string
  operations: readonly { method: string; path: string }[]
  /** The operator's token. */
  operator: string
  cookie: string
  access: string
  refresh: string
  sub: string
  sid: string
  oauth: OAuthKnowledge
}

const LIMIT_MS = 5_000
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

export async function sendHostile(origin: string, { method, path, headers, body }: HostileRequest): Promise<HostileReply> {
  const { hostname, port } = new URL(origin)
  const outgoing = open({
    hostname,
    port,
    family: 4,
    agent,
    method,
    path,
    headers: body && headers['transfer-encoding'] === undefined ? { ...headers, 'content-length': `${body.length}` } : headers,
    signal: AbortSignal.timeout(LIMIT_MS),
  })
  try {
    outgoing.on('error', () => {})
    outgoing.end(body)
    const [incoming] = await once(outgoing, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk)
    return { status: incoming.statusCode, text: `${incoming.rawHeaders.join('\n')}\n\n${Buffer.concat(chunks)}` }
  } catch (error) {
    return { status: error instanceof Error && error.name === 'AbortError' ? 'late' : 'closed', text: '' }
  }
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']

const HEADERS: Record<string, (random: Random, known: Knowledge) => string> = {
  origin: (random, known) =>
    random.pick([known.origin, 'null', 'https://evil.example', `${known.origin}.evil.example`, '', 'http://[', 'x'.repeat(500)]),
  'sec-fetch-site': (random) => random.pick(['same-origin', 'cross-site', 'same-site', 'none', 'x', '']),
  authorization: (random, known) =>
    random.pick([
      `Bearer ${known.access}`,
      'Bearer',
      'Bearer ',
      'bearer x',
      'Basic eDp5',
      `Bearer ${'A'.repeat(9_000)}`,
      `Bearer ${known.refresh}`,
      `Bearer a, Bearer b`,
      'Bearer é',
      `DPoP ${known.access}`,
      `Bearer ${known.oauth.access_token}`,
      `DPoP ${known.oauth.access_token}`,
      `Bearer ${known.oauth.registration_access_token}`,
      `Basic ${Buffer.from(`${known.oauth.client_id}:${known.oauth.client_secret}`).toString('base64')}`,
      `Basic ${Buffer.from('\u0000:%ff').toString('base64')}`,
    ]),
  dpop: (random, known) =>
    random.pick([known.oauth.dpop, `${known.oauth.dpop}, ${known.oauth.dpop}`, '', 'x', 'e30.e30.e30', known.oauth.id_token, 'é']),
  cookie: (random, known) =>
    random.pick([
      known.cookie,
      `${known.cookie}; ${known.cookie}`,
      '__Host-session',
      '__Host-session=',
      '=',
      ';;;',
      `a=${'b'.repeat(5_000)}`,
      '__Host-device=x; __Host-session=y',
      `__host-session=${known.refresh}`,
      '__Host-session="é"',
    ]),
  'content-type': (random) =>
    random.pick([
      'application/json',
      'application/json',
      'application/json',
      'application/json; charset=utf-8',
      'application/json; charset=utf-16',
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      '',
      'application/json, text/plain',
      'é',
    ]),
  'cf-connecting-ip': (random) =>
    random.pick(['1.2.3.4', '::1', '2001:db8::1', '::ffff:1.2.3.4', 'nonsense', '', '999.1.1.1', ':'.repeat(60), '1.2.3.4, 5.6.7.8']),
  'user-agent': (random) => random.pick(['é'.repeat(200), 'x'.repeat(4_000), '<script>alert(1)</script>', '\t']),
  'x-forwarded-for': (random) => random.pick(['1.2.3.4', 'x']),
  'x-http-method-override': (random) => random.pick(['DELETE', 'PUT']),
  accept: (random) => random.pick(['*/*', 'text/html', '']),
  range: () => 'bytes=0-1',
  'if-none-match': () => '*',
  'accept-encoding': (random) => random.pick(['gzip', 'br', 'identity;q=0', 'x']),
  'access-control-request-method': (random) => random.pick(['POST', 'FOO']),
  expect: () => '100-continue',
  'x-long': (random) => 'x'.repeat(random.pick([100, 8_000, 16_000])),
}

const QUERIES = [
  '?access_token=x',
  '?after=x',
  '?after=',
  `?after=${'A'.repeat(3_000)}`,
  '?email=a@example.com',
  '?email=%',
  '?email=%ff%fe',
  '?%61ccess_token=x',
  '?a[]=1&a[]=2',
  '?__proto__=1',
  '??',
  '?#',
]

function pathLike(random: Random, known: Knowledge, pattern: string): string {
  const filled = pattern.replace(/\{(\w+)\}/g, (_, name) => {
    const own = name === 'sid' ? known.sid : name === 'client_id' ? known.oauth.client_id : known.sub
    return random.pick([
      own,
      own.slice(1),
      'A'.repeat(22),
      'A'.repeat(21),
      `${'A'.repeat(21)}B`,
      '..',
      '%2e%2e',
      '%00',
      '%ff',
      '%',
      'é',
      '*',
      ':sub',
      '{sub}',
    ])
  })
  const whole = random.oneIn(3) ? filled + random.pick(QUERIES) : filled
  if (!random.oneIn(12)) return encodeURI(whole).replaceAll('%25', '%')
  return encodeURI(
    random.pick([
      `/${whole}`,
      `${whole}/`,
      `${whole}//`,
      `${whole};a=b`,
      whole.toUpperCase(),
      `/.${whole}`,
      `${whole}%2f`,
      '/'.repeat(2_000),
      `/${'a'.repeat(7_000)}`,
      '/%',
      '/\\',
      '*',
    ]),
  ).replaceAll('%25', '%')
}

/** A credential that fits the route, so that what lies behind the first refusal is reached. */
function credential(known: Knowledge, pattern: string): Record<string, string> {
  // With the operator's token these would do what they are for.
  if (/^\/admin\/api\/keys\/|\/ban$/.test(pattern)) return {}
  if (pattern.startsWith('/admin/')) return { authorization: `Bearer ${known.operator}` }
  if (pattern.startsWith('/api/demo/') && !pattern.endsWith('session')) return { authorization: `Bearer ${known.access}` }
  if (pattern.startsWith('/oauth/register/')) return { authorization: `Bearer ${known.oauth.registration_access_token}` }
  if (pattern === '/oauth/userinfo') return { authorization: `Bearer ${known.oauth.access_token}` }
  return /^\/(api|consent|device|oauth\/(authorize|logout))/.test(pattern) ? { cookie: known.cookie, origin: known.origin } : {}
}

export function hostileRequest(random: Random, known: Knowledge): HostileRequest {
  const operation = random.pick(known.operations)
  const method = random.oneIn(8) ? random.pick(METHODS) : operation.method
  const headers: Record<string, string> = random.oneIn(3) ? {} : credential(known, operation.path)
  for (const [name, make] of Object.entries(HEADERS)) {
    if (random.oneIn(12)) headers[name] = Buffer.from(make(random, known)).toString('latin1')
  }
  const withBody = method !== 'GET' && method !== 'HEAD' && !random.oneIn(8)
  if (withBody && !random.oneIn(5)) headers['content-type'] = 'application/json'
  if (withBody && random.oneIn(10)) headers['transfer-encoding'] = 'chunked'
  const fields = random.oneIn(10) ? null : formFields(random, known, operation.path)
  if (fields && withBody) {
    if (!random.oneIn(8)) headers['content-type'] = 'application/x-www-form-urlencoded'
    return { method, path: pathLike(random, known, operation.path), headers, body: encodeForm(random, fields) }
  }
  const query = fields && operation.method === 'GET' ? `?${new URLSearchParams(fields)}` : ''
  const path = pathLike(random, known, operation.path) + query
  return { method, path, headers, ...(withBody ? { body: body(random, known, operation.path) } : {}) }
}
