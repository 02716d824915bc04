import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { app } from '../../src/app.ts'
import type { KnownClient } from '../../src/clients/client.ts'
import { readConfiguredClients } from '../../src/clients/configured-clients.ts'
import type { AppContext, AppEnv } from '../../src/http/context.ts'
import { documentFetcher } from '../../src/http/oauth/fetch-document.ts'
import { findClient, findClientAtOnce, forgetClient, noteClientUse } from '../../src/http/oauth/find-client.ts'
import { openServices, type Services } from '../../src/http/services.ts'
import { callHook } from '../../src/objects/call.ts'

const ISSUER = 'http://localhost:8787'
const HASH = 'Bk4sWv2r-r4MqxkcubA4MuDwiYH78LxOdU-UOXJyh0M'
const TOML = `[[client]]
client_id = "reports"
grant_types = ["client_credentials"]
client_secret_sha256 = ["${HASH}"]`

let services: Services
const fetched: string[] = []
const calls: string[] = []

beforeEach(async () => {
  const opened = await openServices(env)
  if (!opened.ok) throw new Error(opened.problem.remedy)
  const { config } = opened.services
  const read = readConfiguredClients({ name: 'CLIENTS_TOML', text: TOML }, config)
  if (!read.ok) throw new Error(read.problem.remedy)
  const fetch = async (url: string) => {
    fetched.push(url)
    return Response.json({
      client_id: url,
      redirect_uris: [`${new URL(url).origin}/cb`],
      client_secret: url.includes('bad') ? 'x' : undefined,
    })
  }
  const documents = documentFetcher({ ...config, fetch, nowMs: () => Date.now() })
  services = { ...opened.services, documents, clients: { ...opened.services.clients, configured: read.clients } }
  vi.useFakeTimers({ toFake: ['Date'] })
  callHook.before = (label) => {
    calls.push(label)
  }
})
afterEach(() => {
  vi.useRealTimers()
  delete callHook.before
  fetched.length = 0
  calls.length = 0
})

/** What a handler of the Worker sees. */
async function inside<T>(act: (c: AppContext) => Promise<T> | T): Promise<T> {
  const worker = new Hono<AppEnv>()
  const answers: T[] = []
  worker.get('/', async (c) => {
    c.set('services', services)
    c.set('objects', services.objects)
    answers.push(await act(c))
    return c.body(null, 204)
  })
  const execution = createExecutionContext()
  const response = await worker.request('/', {}, env, execution)
  await waitOnExecutionContext(execution)
  expect(response.status).toBe(204)
  const [answer] = answers
  return answer as T
}
const found = (client_id: string): Promise<KnownClient | null> => inside((c) => findClient(c, client_id))
const foundAtOnce = (client_id: string): Promise<KnownClient | null> => inside((c) => findClientAtOnce(c, client_id))
const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

async function send(method: string, path: string, body?: object, token?: string) {
  const headers = { ...(body ? { 'Content-Type': 'application/json' } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) }
  const execution = createExecutionContext()
  const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
  const response = await app.request(`${ISSUER}${path}`, init, env, execution)
  await waitOnExecutionContext(execution)
  return response
}
async function registered() {
  const response = await send('POST', '/oauth/register', { redirect_uris: ['https://shop.example.com/callback'] })
  return (await response.json()) as { client_id: string; registration_access_token: string }
}

describe('finding a client', () => {
  test('of the configuration asks nobody', async () => {
    expect(await found('reports')).toMatchObject({ client: { client_id: 'reports', source: 'configuration' }, secrets: [{ hash: HASH }] })
    expect(calls).toEqual([])
  })

  test('of an id that nobody makes asks nobody', async () => {
    const strange = [
      '',
      'x',
      'reports ',
      'Reports',
      'first-party',
      'A'.repeat(21),
      'A'.repeat(23),
      `${'A'.repeat(21)}B`,
      '__proto__',
      'é'.repeat(22),
    ]
    for (const id of [
      ...strange,
      'urn:x:y',
      'javascript:alert(1)',
      'http://10.0.0.1/x',
      'https://10.0.0.1/x',
      `${ISSUER}/health`,
      'https://a.example.com/',
    ]) {
      expect([id, await found(id), await foundAtOnce(id)]).toEqual([id, null, null])
    }
    expect([calls, fetched]).toEqual([[], []])
  })

  test('that is registered asks its object, and keeps the answer for 5 seconds', async () => {
    const { client_id } = await registered()
    calls.length = 0
    expect(await found(client_id)).toMatchObject({ client: { client_id, source: 'registration' }, secrets: [{ expires_at: null }] })
    await found(client_id)
    expect(calls).toEqual(['Client.find'])
    await foundAtOnce(client_id)
    later(4_999)
    await found(client_id)
    expect(calls).toEqual(['Client.find', 'Client.find'])
    later(1)
    await found(client_id)
    expect(calls).toHaveLength(3)
  })

  test('that nobody registered is remembered likewise, and its object stores nothing', async () => {
    const id = 'AAAAAAAAAAAAAAAAAAAAAA'
    for (let n = 0; n < 3; n++) expect(await found(id)).toBeNull()
    expect(calls).toEqual(['Client.find'])
    const tables = await runInDurableObject(env.CLIENT.getByName(id), (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'client'").toArray(),
    )
    expect(tables).toEqual([])
  })

  test('after it was removed is over: here at once, elsewhere within the 5 seconds, for live always', async () => {
    const { client_id, registration_access_token } = await registered()
    expect(await found(client_id)).not.toBeNull()
    expect((await send('DELETE', `/oauth/register/${client_id}`, undefined, registration_access_token)).status).toBe(204)
    expect(await found(client_id)).toBeNull()
    expect(await foundAtOnce(client_id)).toBeNull()
  })

  test('that is removed while the list is out of reach is not acknowledged, and can be removed again', async () => {
    const { client_id, registration_access_token } = await registered()
    const remove = () => send('DELETE', `/oauth/register/${client_id}`, undefined, registration_access_token)
    callHook.before = (label) => {
      if (label === 'RevocationList.add') throw new Error('unreachable')
    }
    const refused = await remove()
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '2'])
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' })
    expect(await found(client_id)).toBeNull()
    delete callHook.before
    expect((await remove()).status).toBe(204)
    expect((await remove()).status).toBe(401)
  })

  test('is asked again when this isolate has changed it', async () => {
    const { client_id } = await registered()
    await found(client_id)
    await inside((c) => forgetClient(c, client_id))
    calls.length = 0
    await found(client_id)
    expect(calls).toEqual(['Client.find'])
  })

  test('by its document fetches that once, for 5 minutes', async () => {
    const id = `https://app.example.com/${crypto.randomUUID()}`
    for (let n = 0; n < 3; n++) {
      expect(await found(id)).toMatchObject({
        client: { client_id: id, source: 'document', token_endpoint_auth_method: 'none' },
        secrets: [],
      })
    }
    await foundAtOnce(id)
    expect([fetched, calls]).toEqual([[id], []])
    later(300_000)
    await found(id)
    expect(fetched).toHaveLength(2)
  })

  test('by a document that is not sound finds none', async () => {
    expect(await found(`https://app.example.com/bad/${crypto.randomUUID()}`)).toBeNull()
    expect(fetched).toHaveLength(1)
  })

  test('fails with the object, never open', async () => {
    const { client_id } = await registered()
    callHook.before = () => {
      throw new Error('unreachable')
    }
    const outcome = await inside((c) => findClient(c, client_id).then(String, (error: Error) => error.name))
    expect(outcome).toBe('ObjectUnavailable')
  })
})

describe('the use of a client', () => {
  test('is told to a registered one once an hour, and to no other', async () => {
    const { client_id } = await registered()
    const known = [await found(client_id), await found('reports'), await found(`https://app.example.com/${crypto.randomUUID()}`)]
    calls.length = 0
    const note = () =>
      inside((c) => {
        for (const it of known) if (it) noteClientUse(c, it.client)
      })
    await note()
    await note()
    expect(calls).toEqual(['Client.use'])
    later(3_600_000)
    await note()
    expect(calls).toEqual(['Client.use', 'Client.use'])
  })

  test('harms nobody when it cannot be told', async () => {
    const { client_id } = await registered()
    const known = await found(client_id)
    callHook.before = () => {
      throw new Error('unreachable')
    }
    await inside((c) => known && noteClientUse(c, known.client))
  })
})
