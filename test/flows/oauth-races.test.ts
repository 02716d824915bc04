import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import {
  authorizationQuery,
  CALLBACK,
  codeFor,
  decide,
  interactionIn,
  locationOf,
  pkce,
  postAs,
  redeem,
  refreshAs,
  register,
  type TokenAnswer,
  tokensFor,
} from '../support/node/oauth.ts'
import { app, bearer, browser, msUntil, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

// Taking something back and using it, at the same moment and at two edges: what was acknowledged holds, whoever came first.

const SCOPE = 'openid offline_access notes:read'

let server: Server
let person: Client
let edges: Client[]
beforeAll(async () => {
  server = await startServer({ vars: { SCOPES: 'notes:read' }, workers: 2 })
  edges = server.origins.map(app)
  person = browser(server.origin)
  await signUp(person, 'ann@example.com')
})
afterAll(async () => {
  for (const client of [...edges, person]) client.close()
  await server.stop()
})

const edge = (n: number): Client => edges[n % edges.length] ?? person
const many = <T>(count: number, act: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => act(n)))
const answersOf = (replies: readonly Reply<TokenAnswer>[]) => replies.flatMap((reply) => (reply.status === 200 ? [reply.json] : []))

test('no refresh that meets a revocation leaves a token that refreshes on', async () => {
  for (let round = 0; round < 8; round++) {
    const client = await register(edge(0))
    const granted = await tokensFor(edge(0), person, client, { scope: SCOPE })
    const token = granted.refresh_token ?? ''
    const [refreshed, revoked] = await Promise.all([
      many(6, (n) => refreshAs(edge(n), client, token)),
      postAs(edge(round), '/oauth/revoke', client, { token }),
    ])
    requireStatus(revoked, 200)
    for (const { status, text } of refreshed) expect([200, 400], text).toContain(status)
    for (const { refresh_token = '' } of [granted, ...answersOf(refreshed)]) {
      expect((await refreshAs(edge(round + 1), client, refresh_token)).json.error).toBe('invalid_grant')
    }
  }
})

test('no code that is given while its person signs out is worth anything afterwards', async () => {
  for (let round = 0; round < 8; round++) {
    const own = browser(server.origin)
    await signUp(own, `leaving-${round}@example.com`)
    const client = await register(edge(0))
    const { code_verifier, code_challenge } = pkce()
    const query = authorizationQuery(client, code_challenge)
    const interaction = interactionIn(await own.get(`/oauth/authorize?${query}`))
    const [allowed, remembered, out] = await Promise.all([
      many(4, () => decide(own, interaction, 'allow')),
      many(4, () => own.get(`/oauth/authorize?${query}`)),
      own.post('/api/sign-out', {}, { origin: server.origin }),
    ])
    requireStatus(out, 204)
    for (const reply of [...allowed, ...remembered]) {
      expect([200, 303], reply.text).toContain(reply.status)
      const code = locationOf(reply).searchParams.get('code')
      if (code === null) continue
      expect((await redeem(edge(round), client, { code, code_verifier, redirect_uri: CALLBACK })).json.error).toBe('invalid_grant')
    }
    own.close()
  }
})

test('what another edge gives a removed client before it has heard of that is refused within the bound', async () => {
  const client = await register(edge(0))
  const granted = await tokensFor(edge(1), person, client, { scope: SCOPE })
  const code = await codeFor(person, client, { scope: SCOPE })
  const removed = await edge(0).request('DELETE', client.registration_client_uri, undefined, bearer(client.registration_access_token))
  requireStatus(removed, 204)
  const late = answersOf([await redeem(edge(1), client, code), await refreshAs(edge(1), client, granted.refresh_token ?? '')])
  for (const { access_token, refresh_token = '' } of [granted, ...late]) {
    await msUntil(5_000, 401, () => edge(1).get('/oauth/userinfo', bearer(access_token)))
    await msUntil(6_000, 401, () => refreshAs(edge(1), client, refresh_token))
  }
})
