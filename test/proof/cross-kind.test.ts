import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { CARRIERS, type Consumer, consumersOf, type Make, type Route } from './consumers.ts'
import { API, fillPurse, type Kind, type Purse, SERVICE_TOML } from './credential-kinds.ts'
import { type Row, writeFigures } from './figures.ts'
import { connect, inLanes } from './person.ts'

/** Everything that is handed out, presented wherever anything is taken. */
const rows: Row[] = []
let server: Server
let http: Client
let purse: Purse
let routes: Route[]
let consumers: Consumer[]
beforeAll(async () => {
  server = await startServer({ vars: { CLIENTS_TOML: SERVICE_TOML, AUDIENCES: API } })
  http = connect(server.origin)
  purse = await fillPurse(server)
  routes = await routesOf()
  consumers = consumersOf(server, purse)
})
afterAll(async () => {
  await purse.close()
  http.close()
  await server.stop()
  await writeFigures('cross-kind', rows)
})

type Described = { security: Record<string, unknown>[]; requestBody?: { content: Record<string, unknown> } }

/** As the server itself describes them, so that a new one is met here without being named. */
async function routesOf(): Promise<Route[]> {
  const { paths } = (await http.get<{ paths: Record<string, Record<string, Described>> }>('/api/openapi.json')).json
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path: path
        .replace('{client_id}', purse.client_id)
        .replace('{sub}', purse.sub)
        .replace(/\{\w+\}/g, 'A'.repeat(22)),
      takes: security.flatMap((scheme) => Object.keys(scheme)),
    })),
  )
}

/** No token of ours, each of the length and the look of the one that it stands for. */
const nonsense = (text: string) =>
  text.replace(/[A-Za-z0-9]/g, (char, at: number) => 'ABCDEFGHJK'[(at * 7 + char.charCodeAt(0)) % 10] ?? 'A')

/** What an answer comes to: a refusal, or where and what it leads to. Ids, nonces and seals differ from one answer to the next. */
function meaning(reply: Reply): string {
  const { status, headers, text } = reply
  if (status >= 500) return `${status} ${text}`
  if (text.includes('"authorization_pending"')) return 'known'
  if (status >= 400 || text.includes('There is no such code')) return 'refused'
  const to = new URL(headers.location ?? '', 'http://no.location')
  const leads = `${to.origin}${to.pathname} ${[...to.searchParams.keys()]} ${to.searchParams.get('error')}`
  const type = headers['content-type'] ?? ''
  const members = /json/.test(type) && !Array.isArray(reply.json) ? Object.keys(reply.json).join() : ''
  const page = /^text\/html/.test(type) ? text.replace(/[\w-]{16,}/g, '').replace(/\s+/g, ' ') : ''
  return `${status} ${leads} ${members} ${page}`
}

async function send(make: Make, credential: string): Promise<Reply> {
  const { method, path, headers = {}, body } = await make(credential)
  return http.request(method, path, body, headers)
}

/** Sends the real one and the nonsense in the same place: they must come to the same. */
async function isTaken(kind: Kind, make: Make): Promise<boolean> {
  const real = purse.credentials[kind]
  const [taken, refused] = [await send(make, real), await send(make, nonsense(real))]
  return meaning(taken) !== meaning(refused)
}

const kinds = () => Object.keys(purse.credentials) as Kind[]

async function matrix(cases: { name: string; kind: Kind; make: Make }[]): Promise<string[]> {
  const taken: string[] = []
  await inLanes(cases.length, 16, async (index) => {
    const item = cases[index]
    if (item && (await isTaken(item.kind, item.make))) taken.push(item.name)
  })
  return taken.sort()
}

describe('a credential of one kind', { timeout: 60_000 }, () => {
  test('is worth as much as nonsense in every header of every route that does not take its kind', async () => {
    await purse.renewShort()
    const cases = routes.flatMap((route) =>
      CARRIERS.flatMap((carrier) =>
        kinds()
          .filter((kind) => !carrier.takes(route).includes(kind))
          .map((kind) => ({
            name: `${kind} as ${carrier.name}: ${route.method} ${route.path}`,
            kind,
            make: carrier.make(server, purse, route),
          })),
      ),
    )
    const taken = await matrix(cases)
    rows.push({
      what: 'credentials of one kind in the headers of every route',
      size: `${kinds().length} kinds, ${routes.length} routes, ${cases.length} requests`,
      result: `${taken.length} taken for another`,
    })
    expect(taken).toEqual([])
  })

  test('is worth as much as nonsense in every field that does not take its kind', async () => {
    await purse.renewShort()
    const cases = consumers.flatMap(({ name, takes, make }) =>
      kinds()
        .filter((kind) => !takes.includes(kind))
        .map((kind) => ({ name: `${kind} as ${name}`, kind, make })),
    )
    const taken = await matrix(cases)
    rows.push({
      what: 'credentials of one kind in every field that takes one',
      size: `${consumers.length} fields, ${cases.length} requests`,
      result: `${taken.length} taken for another`,
    })
    expect(taken).toEqual([])
  })

  test('is looked at in the fields of every route that clients and pages send forms to', () => {
    const known = new Set(consumers.map(({ route }) => route))
    // What these take is in their headers or their path, or is no credential.
    const without = new Set(['POST /oauth/register', 'POST /oauth/authorize', 'POST /sign-out'])
    const forms = routes.filter(
      ({ method, path }) => method === 'POST' && !/^\/(api|admin)\//.test(path) && !path.includes(purse.client_id),
    )
    const missing = forms.map(({ method, path }) => `${method} ${path}`).filter((route) => !known.has(route) && !without.has(route))
    expect(missing).toEqual([])
    expect(forms.length).toBeGreaterThan(10)
  })

  // Last: what is taken here may be used up by it.
  test('has lost nothing by all that, and is taken where its own kind is', async () => {
    expect(await purse.losses()).toEqual([])
    const untaken: string[] = []
    for (const { name, takes, make, tells } of consumers) {
      for (const kind of tells ? takes : []) {
        await purse.renew(kind)
        if (!(await isTaken(kind, make))) untaken.push(`${kind} as ${name}`)
      }
    }
    expect(untaken).toEqual([])
  })
})
