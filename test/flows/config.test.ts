import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { app, bearer, codeOf, type Problem } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const PRODUCTION = { SALLYPORT_ENV: 'production', ISSUER: 'https://auth.example.com', LAB: '', SIGN_UP: 'immediate' }

describe('a wrong configuration (contract 3a)', () => {
  test.each([
    ['ISSUER', { ISSUER: '' }],
    ['ISSUER', { ...PRODUCTION, ISSUER: 'https://auth.example.com/' }],
    ['ISSUER', { ...PRODUCTION, ISSUER: 'http://localhost:8787' }],
    ['SIGN_UP', { ...PRODUCTION, SIGN_UP: '' }],
    ['SALLYPORT_SECRET', { SALLYPORT_SECRET: 'hunter2-hunter2' }],
    ['ADMIN_TOKEN', { ADMIN_TOKEN: 'hunter2-hunter2' }],
    ['LAB', { LAB: 'hunter2-hunter2' }],
    ['ALLOWED_ORIGINS', { ALLOWED_ORIGINS: 'https://app.example.com/hunter2-hunter2' }],
  ])('%s: every path answers 503 with its name and what to do, never its value', async (variable, vars) => {
    const server = await startServer({ vars })
    try {
      const client = app(server.origin)
      for (const path of ['/health', '/', '/api/session', '/.well-known/jwks.json', '/admin/api/keys', '/nowhere']) {
        const reply = await client.get<Problem>(path)
        expect([path, reply.status, codeOf(reply)]).toEqual([path, 503, 'misconfigured'])
        expect(reply.json.detail).toContain(variable)
        expect(reply.text).not.toContain('hunter2')
        expect(reply.headers['cache-control']).toBe('no-store')
      }
      expect(server.output()).not.toContain('hunter2')
      client.close()
    } finally {
      await server.stop()
    }
  })
})

describe('production', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer({ vars: PRODUCTION })
  })
  afterAll(() => server.stop())

  test('has no demonstration routes and no development mailbox, and says Strict-Transport-Security', async () => {
    const client = app(server.origin)
    expect((await client.get('/health')).headers['strict-transport-security']).toMatch(/max-age=\d{8,}/)
    for (const path of [
      '/api/demo/offline',
      '/api/demo/fresh',
      '/api/demo/live',
      '/api/demo/session',
      '/dev/mailbox',
      '/dev/mailbox.json',
    ]) {
      expect([path, (await client.get(path, bearer('x'))).status]).toEqual([path, 404])
    }
    client.close()
  })

  test('keeps to its configured issuer, whatever the request says of its host', async () => {
    const client = app(server.origin)
    const forwarded = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example',
    }
    const { text } = await client.get('/.well-known/openid-configuration', forwarded)
    expect(JSON.parse(text)).toMatchObject({
      issuer: 'https://auth.example.com',
      jwks_uri: 'https://auth.example.com/.well-known/jwks.json',
    })
    expect(text).not.toContain('evil')
    client.close()
  })

  test('signs people up and in', async () => {
    const client = app(server.origin)
    const body = { email: 'prod@example.com', password: 'violet-otter-41-lantern' }
    expect((await client.post('/api/sign-up', body)).status).toBe(201)
    expect((await client.post('/api/sign-in', body)).status).toBe(200)
    client.close()
  })
})

describe('in development', () => {
  test('no Strict-Transport-Security is said: localhost is shared by every project of a machine', async () => {
    const server = await startServer()
    const client = app(server.origin)
    expect((await client.get('/health')).headers['strict-transport-security']).toBeUndefined()
    client.close()
    await server.stop()
  })

  test('without ADMIN_TOKEN there are no operator routes', async () => {
    const server = await startServer({ vars: { ADMIN_TOKEN: '' } })
    const client = app(server.origin)
    for (const token of ['', 'undefined', 'null', 'x'.repeat(40)]) {
      expect((await client.get('/admin/api/keys', bearer(token))).status).toBe(404)
    }
    client.close()
    await server.stop()
  })
})
