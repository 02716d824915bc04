import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, resetAfter } from '../support/node/http.ts'
import { isAlive, type Server, startServer } from '../support/node/server.ts'

describe('the black-box server', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer({ workers: 2, vars: { SIGN_UP: 'immediate' } })
  })
  afterAll(() => server.stop())

  test('serves the bundle on each of its edges', async () => {
    expect(server.origins).toHaveLength(2)
    for (const origin of server.origins) {
      const client = createClient(origin)
      expect((await client.get('/health')).status).toBe(200)
      client.close()
    }
  })

  test('names its origin as the issuer and makes secrets of its own', () => {
    expect(server.vars).toMatchObject({ ISSUER: server.origin, SALLYPORT_ENV: 'development', LAB: 'on' })
    expect(Buffer.from(server.vars.SALLYPORT_SECRET ?? '', 'base64url')).toHaveLength(32)
  })

  test('comes back on the same port after workerd was killed', async () => {
    const client = createClient(server.origin)
    const killed = server.pid
    await server.kill9()
    await expect(client.get('/health')).rejects.toThrow()
    await server.restart()
    expect(isAlive(killed)).toBe(false)
    expect(server.pid).not.toBe(killed)
    expect((await client.get('/health')).status).toBe(200)
    client.close()
  })

  test('survives a client that resets its connection', async () => {
    expect(await resetAfter(server.origin, { method: 'GET', path: '/health' }, 200)).toMatch(/^HTTP\/1.1 200/)
    expect(await resetAfter(server.origin, { method: 'GET', path: '/health' }, 0)).toBe('')
    const client = createClient(server.origin)
    expect((await client.get('/health')).status).toBe(200)
    client.close()
  })
})

test('a stopped server leaves no process and no directory', async () => {
  const server = await startServer()
  const { directory, pid } = server
  expect([isAlive(pid), existsSync(directory)]).toEqual([true, true])
  await server.stop()
  expect([isAlive(pid), existsSync(directory)]).toEqual([false, false])
})
