import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import { app, bearer, fromOwnPage, operatorOf, PASSWORD, type Problem, signUp, signUpForTokens } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

type OpenApi = { paths: Record<string, Record<string, { requestBody?: object; responses: Record<string, object> }>> }

let server: Server
let client: Client
let routes: [path: string, methods: string[]][]
beforeAll(async () => {
  server = await startServer()
  client = app(server.origin)
  const { paths } = (await client.get<OpenApi>('/api/openapi.json')).json
  routes = Object.entries(paths).map(([path, item]) => [
    path.replace(/\{\w+\}/g, 'AAAAAAAAAAAAAAAAAAAAAA'),
    Object.keys(item).map((method) => method.toUpperCase()),
  ])
})
afterAll(async () => {
  client.close()
  await server.stop()
})

/** A precise refusal: the status, the code, and everything that every answer says. */
function expectProblem(reply: Reply<unknown>, status: number, code: string, what: unknown = '') {
  expect([what, reply.status]).toEqual([what, status])
  expect(reply.headers['content-type']).toBe('application/problem+json')
  expect((reply as Reply<Problem>).json).toMatchObject({
    type: 'about:blank',
    status,
    code,
    title: expect.any(String),
    detail: expect.any(String),
  })
  expectHeaders(reply, what)
}

function expectHeaders(reply: Reply<unknown>, what: unknown) {
  expect([what, reply.headers['cache-control']]).toEqual([what, expect.any(String)])
  expect([what, reply.headers['x-content-type-options']]).toEqual([what, 'nosniff'])
  // Pages tell themselves apart from strangers by the Origin of their forms, which `no-referrer` would take away.
  const isPage = reply.headers['content-type']?.startsWith('text/html') === true
  expect([what, reply.headers['referrer-policy']]).toEqual([what, isPage ? 'same-origin' : 'no-referrer'])
  expect([what, reply.headers['content-security-policy']]).toEqual([what, expect.stringContaining("frame-ancestors 'none'")])
  expect([what, reply.headers['x-request-id']]).toEqual([what, expect.stringMatching(/^[0-9a-f-]{36}$/)])
}

describe('every path', () => {
  test('refuses every method that it does not take with 405, and says which ones it does', async () => {
    expect(routes.length).toBeGreaterThan(25)
    for (const [path, methods] of routes) {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        if (methods.includes(method)) continue
        const reply = await client.request(method, path, undefined, path.startsWith('/admin') ? operatorOf(server) : {})
        expectProblem(reply, 405, 'method_not_allowed', `${method} ${path}`)
        expect(reply.headers.allow?.split(', ').sort()).toEqual([...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].sort())
      }
    }
  })

  test('answers HEAD as GET, without a body', async () => {
    for (const path of ['/health', '/.well-known/jwks.json', '/revocations', '/api/openapi.json', '/']) {
      const [head, get] = [await client.request('HEAD', path), await client.get(path)]
      expect([head.status, head.bytes.length, head.headers['content-type']]).toEqual([200, 0, get.headers['content-type']])
    }
  })

  test('states its caching and its security headers, whatever it answers', async () => {
    for (const [path, methods] of routes) {
      for (const method of methods) expectHeaders(await client.request(method, path, undefined, {}), `${method} ${path}`)
    }
    for (const path of ['/api/session', '/api/token', '/api/refresh', '/admin/api/keys', '/dev/mailbox.json']) {
      expect((await client.get(path)).headers['cache-control']).toBe('no-store')
    }
  })

  test('that does not exist is 404, however it is spelled', async () => {
    const paths = [
      '/nowhere',
      '/api',
      '/api/',
      '/api/session/',
      '/API/session',
      '/api//session',
      '/api/sessions/a/b',
      '/admin',
      '/oauth/tokens',
    ]
    for (const path of [...paths, '/api/%00', '/%ff', '/api/sign-in%2f', '/.well-known/', '/api/demo/']) {
      expectProblem(await client.get(path), 404, 'not_found', path)
    }
    expectProblem(await client.get('/admin/api/nowhere', operatorOf(server)), 404, 'not_found')
  })

  test('takes a query of ten thousand parameters', async () => {
    const query = Array.from({ length: 10_000 }, (_, n) => `a${n}=1`).join('&')
    expect((await client.get(`/health?${query.slice(0, 15_000)}`)).status).toBe(200)
  })
})

/** Each takes a body; authorised, so that what is refused is the body. */
const bodies: [path: string, good: () => Promise<object>, headers: () => Promise<Record<string, string>>, method?: string][] = [
  ['/api/sign-up', async () => ({ email: 'a@example.com', password: PASSWORD }), async () => ({})],
  ['/api/sign-in', async () => ({ email: 'a@example.com', password: PASSWORD }), async () => ({})],
  ['/api/refresh', async () => ({ refresh_token: 'x' }), async () => ({})],
  ['/api/sign-out', async () => ({ refresh_token: 'x' }), async () => ({})],
  ['/api/token', async () => ({}), async () => await cookieOfSomebody()],
  ['/api/password', async () => ({ current_password: PASSWORD, new_password: PASSWORD }), async () => await cookieOfSomebody()],
  ['/admin/api/accounts/AAAAAAAAAAAAAAAAAAAAAA/roles', async () => ({ roles: ['a'] }), async () => operatorOf(server), 'PUT'],
]

let somebody: Record<string, string> | undefined
async function cookieOfSomebody(): Promise<Record<string, string>> {
  if (!somebody) {
    const reply = await client.post('/api/sign-up', { email: 'somebody@example.com', password: PASSWORD })
    const cookie = reply.setCookies.map((line) => line.split(';')[0]).find((pair) => pair?.startsWith('__Host-session=')) ?? ''
    somebody = { cookie, ...fromOwnPage(server) }
  }
  return somebody
}

const JSON_TYPE = { 'content-type': 'application/json' }

describe.each(bodies)('a body for %s', (path, good, authorised, method = 'POST') => {
  const send = async (body: string | Uint8Array, headers: Record<string, string>) =>
    client.request(method, path, body, { ...(await authorised()), ...headers })

  test('that is not JSON is malformed_json', async () => {
    const broken = ['{', '', 'null x', '{"a":1,}', "{'a':1}", '\ufeff{}', 'NaN', '{"a":"\u0001"}', '['.repeat(8000)]
    for (const text of broken) expectProblem(await send(text, JSON_TYPE), 400, 'malformed_json', text.slice(0, 20))
    for (const bytes of [[0xff, 0xfe], [0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0x00]]) {
      expectProblem(await send(new Uint8Array(bytes), JSON_TYPE), 400, 'malformed_json', bytes)
    }
  })

  test('of the wrong shape is invalid_request, and says where', async () => {
    for (const text of ['null', '1', '"text"', '[]', 'true']) expectProblem(await send(text, JSON_TYPE), 400, 'invalid_request', text)
    for (const [name, value] of Object.entries(await good())) {
      const wrong: unknown[] = [null, 1, true, {}, Array.isArray(value) ? 'a' : [], Array.isArray(value) ? [1] : ['a'], 'x'.repeat(5000)]
      for (const replacement of wrong) {
        const reply = await send(JSON.stringify({ ...(await good()), [name]: replacement }), JSON_TYPE)
        expectProblem(reply, 400, 'invalid_request', [name, replacement])
        expect((reply.json as unknown as Problem).errors?.[0]?.pointer).toMatch(new RegExp(`^/${name}(/0)?$`))
        expect(reply.text).not.toContain('xxxx')
      }
      const { [name]: _, ...rest } = (await good()) as Record<string, unknown>
      if (path !== '/api/sign-out') expectProblem(await send(JSON.stringify(rest), JSON_TYPE), 400, 'invalid_request', `no ${name}`)
    }
  })

  test('of another type is unsupported_media_type', async () => {
    const text = JSON.stringify(await good())
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/json; charset=utf-16',
      'json',
      '*/*',
      'application/jsonx',
      'text/json',
    ]) {
      expectProblem(await send(text, { 'content-type': type }), 415, 'unsupported_media_type', type)
    }
  })

  test('of a megabyte is body_too_large, declared or not, or declared as less', async () => {
    const text = JSON.stringify({ ...(await good()), padding: 'x'.repeat(1_000_000) })
    expectProblem(await send(text, JSON_TYPE), 413, 'body_too_large')
    const headers = { ...(await authorised()), ...JSON_TYPE }
    expectProblem(await chunked(path, method, text, headers), 413, 'body_too_large')
    expectProblem(await chunked(path, method, text, { ...headers, 'content-length': '5' }), 413, 'body_too_large')
  })

  test('with members that it does not know, or that mean something elsewhere, is taken for what it says', async () => {
    const text =
      `{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}},"unknown":1,${JSON.stringify(await good()).slice(1)}`.replace(
        ',}',
        '}',
      )
    const reply = await send(text, JSON_TYPE)
    expect(reply.status).toBeLessThan(500)
    if (reply.text !== '') expect((reply.json as unknown as Problem).code).not.toBe('malformed_json')
    expect((await client.get('/health')).json).toEqual({ status: 'ok' })
  })
})

/** A chunked request on a socket of its own: no Content-Length to judge by. */
function chunked(path: string, method: string, text: string, headers: Record<string, string>): Promise<Reply<unknown>> {
  const { hostname, port, host } = new URL(server.origin)
  const head = [`${method} ${path} HTTP/1.1`, `host: ${host}`, 'transfer-encoding: chunked', 'connection: close']
  for (const [name, value] of Object.entries(headers)) head.push(`${name}: ${value}`)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), family: 4 })
    let received = ''
    const settle = () => {
      const [top = '', ...rest] = received.split('\r\n\r\n')
      const [status = '', ...lines] = top.split('\r\n')
      const answered = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      )
      const body = rest.join('\r\n\r\n').replace(/^[0-9a-f]+\r\n|\r\n0\r\n$/gi, '')
      const bytes = Buffer.from(body)
      if (top === '') reject(new Error('no answer'))
      resolve({
        status: Number(status.split(' ')[1]),
        headers: answered,
        bytes,
        text: body,
        json: JSON.parse(body || '{}'),
        setCookies: [],
      } as unknown as Reply<unknown>)
    }
    socket.setEncoding('utf8').on('data', (chunk) => {
      received += chunk
    })
    socket.once('close', settle)
    // The server may answer and close before it has read everything.
    socket.on('error', () => {})
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    for (let at = 0; at < text.length; at += 60_000) {
      const part = text.slice(at, at + 60_000)
      socket.write(`${part.length.toString(16)}\r\n${part}\r\n`)
    }
    socket.write('0\r\n\r\n')
  })
}

describe('text fields', () => {
  test('refuse lone surrogates and control characters, and keep every other character', async () => {
    let person = 0
    const make = (name: string) =>
      client.post<Problem>('/api/sign-up', `{"email":"t${++person}@example.com","password":"${PASSWORD}","name":${name}}`, JSON_TYPE)
    for (const name of ['"\\ud800"', '"a\\u0000b"', '"\\r\\nSet-Cookie: a=b"', '"\\u0085"', '""', '"   "'])
      expectProblem(await make(name), 400, 'invalid_request', name)
    for (const name of ['"Zoë"', '"👩‍👩‍👧"', '"<script>alert(1)</script>"', `"'; DROP TABLE account; --"`, '"\\u202e"', '"{{7*7}}"']) {
      const reply = await make(name)
      expect([name, reply.status, (reply.json as unknown as { name: string }).name]).toEqual([name, 201, JSON.parse(name)])
    }
  })
})

describe('the OpenAPI description', () => {
  test('resolves every reference, and every problem of every operation has its schema', async () => {
    const document = (await client.get<OpenApi>('/api/openapi.json')).json
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#([^"]+)"/g)].map(([, pointer = '']) => pointer)
    expect(references.length).toBeGreaterThan(20)
    for (const pointer of new Set(references)) {
      const target = pointer
        .split('/')
        .slice(1)
        .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], document)
      expect([pointer, typeof target]).toEqual([pointer, 'object'])
    }
  })
})

describe('the log', () => {
  test('holds no password, token, cookie or address, and a line for each refusal with its request id', async () => {
    const person = app(server.origin)
    const email = 'logged@example.com'
    const tokens = await signUpForTokens(person, email)
    await person.post('/api/sign-in', { email, password: 'secret-wrong-password' })
    await person.post('/api/refresh', { refresh_token: `${tokens.refresh_token.slice(0, -2)}AA` })
    await person.get('/api/demo/fresh', bearer(`${tokens.access_token.slice(0, -4)}AAAA`))
    const refused = await person.post<Problem>('/api/sign-in', { email: 'unknown-person@example.com', password: PASSWORD })
    const another = await signUp(person, 'cookie-person@example.com')
    const output = server.output()
    const secrets = [
      PASSWORD,
      'secret-wrong-password',
      tokens.refresh_token,
      tokens.access_token,
      tokens.access_token.split('.')[2] ?? '',
      email,
      'unknown-person',
      another.email,
      server.vars.SALLYPORT_SECRET ?? '',
      server.vars.ADMIN_TOKEN ?? '',
    ]
    for (const secret of secrets) expect(output.includes(secret)).toBe(false)
    expect(output).toContain(refused.json.request_id)
    person.close()
  })
})
