// What is taken back from an OAuth client, as the verifiers of three kinds of service see it: `live` on the next request, `fresh` within
// the bound. Beside each there is something of the same person that must stay good.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, type Freshness, TokenError, type Verifier } from '../../src/sdk/index.ts'
import { introspection } from '../../src/sdk/introspection.ts'
import { websocketFeed } from '../../src/sdk/websocket.ts'
import { boundApi } from '../support/node/bound-api.ts'
import type { Client } from '../support/node/http.ts'
import { codeFor, postAs, type Registered, redeem, refreshAs, register, tokensFor } from '../support/node/oauth.ts'
import { app, bearer, browser, claimsOf, operatorOf, requireStatus, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const API = 'https://api.example.com'
const SECRET = 'the-secret-of-the-api-in-this-test'
const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const { x = '', y = '' } = await crypto.subtle.exportKey('jwk', pair.publicKey)
const CLIENTS_TOML = `[[client]]
client_id = "api-by-key"
grant_types = ["client_credentials"]
token_endpoint_auth_method = "private_key_jwt"
jwks = { keys = [{ kty = "EC", crv = "P-256", x = "${x}", y = "${y}" }] }
serves = ["${API}"]

[[client]]
client_id = "api"
grant_types = ["client_credentials"]
client_secret_sha256 = ["${createHash('sha256').update(SECRET).digest('base64url')}"]
serves = ["${API}"]
`
/** Milliseconds: the bound of `fresh`. */
const BOUND = 5000
const USER = { resource: API, scope: 'openid offline_access' }

/** One way to verify a token: "accepted", or the code of the refusal. */
type Ask = (token: string, freshness: Freshness) => Promise<string>

let server: Server
let http: Client
let bound: Client
let verifiers: Verifier[]
let services: Record<string, Ask>
beforeAll(async () => {
  server = await startServer({ vars: { AUDIENCES: API, CLIENTS_TOML }, beside: boundApi(API) })
  http = app(server.origin)
  bound = app(server.besideOrigin)
  const options = { issuer: server.origin, audience: API, introspection: introspection({ client_id: 'api', client_secret: SECRET }) }
  const polled = createVerifier(options)
  const pushed = createVerifier({ ...options, feed: websocketFeed() })
  verifiers = [polled, pushed]
  services = {
    polled: (token, freshness) => verdictOf(polled, token, freshness),
    pushed: (token, freshness) => verdictOf(pushed, token, freshness),
    bound: async (token, freshness) => {
      const reply = await bound.get<{ code?: string }>(`/${freshness}`, bearer(token))
      return reply.status === 200 ? 'accepted' : (reply.json.code ?? reply.text)
    },
  }
})
afterAll(async () => {
  for (const verifier of verifiers) verifier.close()
  bound.close()
  http.close()
  await server.stop()
})

async function verdictOf(verifier: Verifier, token: string, freshness: Freshness): Promise<string> {
  try {
    await verifier.verifyToken(token, { freshness })
    return 'accepted'
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
}

/** What every service says of a token, each at its freshness. */
async function verdicts(token: string): Promise<string[]> {
  const asks = Object.entries(services).flatMap(([name, ask]) =>
    (['live', 'fresh'] as const).map(async (freshness) => `${name} ${freshness}: ${await ask(token, freshness)}`),
  )
  return Promise.all(asks)
}

const all = (verdict: string) =>
  Object.keys(services).flatMap((name) => ['live', 'fresh'].map((freshness) => `${name} ${freshness}: ${verdict}`))

const expectAccepted = async (...tokens: string[]) => {
  for (const token of tokens) expect(await verdicts(token)).toEqual(all('accepted'))
}

/** `live` has to refuse at once, wherever it is asked; then `fresh`, within the bound. */
async function expectRefused(tokens: readonly string[], code = 'token_revoked') {
  const acknowledged = performance.now()
  for (const [name, ask] of Object.entries(services)) {
    for (const token of tokens) expect(await ask(token, 'live'), `${name} live`).toBe(code)
  }
  for (const [name, ask] of Object.entries(services)) {
    for (const token of tokens) {
      const left = BOUND - (performance.now() - acknowledged)
      await expect.poll(() => ask(token, 'fresh'), { timeout: left, interval: 50, message: `${name} fresh` }).toBe(code)
    }
  }
}

let people = 0
async function somebody() {
  const own = browser(server.origin)
  const session = await signUp(own, `person-${++people}@example.com`)
  return { own, session }
}

const confidential = () =>
  register(http, {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
  })

async function machineToken(client: Registered): Promise<string> {
  const reply = await postAs(http, '/oauth/token', client, { grant_type: 'client_credentials', resource: API })
  return requireStatus(reply, 200).json.access_token
}

describe('a client that is removed (RFC 7592, 2.3)', () => {
  test('takes its tokens with it, of people and of itself; another client of the same person keeps its own', async () => {
    const { own } = await somebody()
    const [client, other] = [await confidential(), await confidential()]
    const mine = [(await tokensFor(http, own, client, USER)).access_token, await machineToken(client)]
    const theirs = [(await tokensFor(http, own, other, USER)).access_token, await machineToken(other)]
    await expectAccepted(...mine, ...theirs)
    requireStatus(await http.delete(`/oauth/register/${client.client_id}`, bearer(client.registration_access_token)), 204)
    await expectRefused(mine)
    await expectAccepted(...theirs)
    own.close()
  })
})

describe('a family that ends', () => {
  test('by the revocation of its refresh token: its access tokens are refused, those of another installation are not', async () => {
    const { own } = await somebody()
    const client = await confidential()
    const first = await tokensFor(http, own, client, USER)
    const next = requireStatus(await refreshAs(http, client, first.refresh_token ?? ''), 200).json
    const other = await tokensFor(http, own, client, USER)
    await expectAccepted(first.access_token, next.access_token, other.access_token)
    expect((await postAs(http, '/oauth/revoke', client, { token: next.refresh_token ?? '' })).status).toBe(200)
    await expectRefused([first.access_token, next.access_token])
    await expectAccepted(other.access_token)
    own.close()
  })

  test('by a code that is replayed: what the first use gave is refused, an earlier grant is not', async () => {
    const { own } = await somebody()
    const client = await confidential()
    const earlier = await tokensFor(http, own, client, USER)
    const good = await codeFor(own, client, USER)
    const { access_token } = requireStatus(await redeem(http, client, good), 200).json
    await expectAccepted(earlier.access_token, access_token)
    expect((await redeem(http, client, good)).status).toBe(400)
    await expectRefused([access_token])
    await expectAccepted(earlier.access_token)
    own.close()
  })
})

describe('a token that its client takes back', () => {
  test('is refused alone: the next one of the same grant is good', async () => {
    const { own } = await somebody()
    const client = await confidential()
    const first = await tokensFor(http, own, client, USER)
    const next = requireStatus(await refreshAs(http, client, first.refresh_token ?? ''), 200).json
    const machines = [await machineToken(client), await machineToken(client)] as const
    await expectAccepted(first.access_token, next.access_token, ...machines)
    for (const token of [first.access_token, machines[0]]) {
      expect((await postAs(http, '/oauth/revoke', client, { token })).status).toBe(200)
    }
    await expectRefused([first.access_token, machines[0]])
    await expectAccepted(next.access_token, machines[1])
    own.close()
  })
})

describe('an account that changes', () => {
  test('makes its tokens outdated, which a resource server is told from revoked', async () => {
    const { own, session } = await somebody()
    const client = await confidential()
    const tokens = await tokensFor(http, own, client, USER)
    await expectAccepted(tokens.access_token)
    requireStatus(await http.put(`/admin/api/accounts/${session.sub}/roles`, { roles: ['editor'] }, operatorOf(server)), 204)
    await expectRefused([tokens.access_token], 'token_outdated')
    const next = requireStatus(await refreshAs(http, client, tokens.refresh_token ?? ''), 200).json
    expect(claimsOf(next.access_token).ver).toBe(claimsOf(tokens.access_token).ver + 1)
    await expectAccepted(next.access_token)
    own.close()
  })
})

describe('a resource server that asks', () => {
  const asking = (credentials: Parameters<typeof introspection>[0]) => {
    const verifier = createVerifier({ issuer: server.origin, audience: API, introspection: introspection(credentials) })
    return (token: string) => verifier.verifyToken(token, { freshness: 'live' })
  }

  test('by private_key_jwt is answered each time, and hears of an end on the next request', async () => {
    const { own } = await somebody()
    const { access_token } = await tokensFor(http, own, await confidential(), USER)
    const ask = asking({ client_id: 'api-by-key', private_key: pair.privateKey })
    for (let nth = 0; nth < 3; nth++) expect((await ask(access_token)).freshness).toBe('live')
    requireStatus(await own.post('/api/sign-out', {}, { origin: server.origin }), 204)
    await expect(ask(access_token)).rejects.toMatchObject({ code: 'token_revoked' })
    own.close()
  })

  test('with a wrong secret gets no answer, for a good token too, and reads why', async () => {
    const { own } = await somebody()
    const { access_token } = await tokensFor(http, own, await confidential(), USER)
    await expect(asking({ client_id: 'api', client_secret: 'another' })(access_token)).rejects.toMatchObject({
      code: 'verifier_unavailable',
      reason: expect.stringContaining('/oauth/introspect: 401: check client_id and its credentials'),
    })
    own.close()
  })
})
