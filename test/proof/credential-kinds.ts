/** One of everything that the service, its operator or a client hands out, and that somebody could present in a wrong place. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type Client, createClient } from '../support/node/http.ts'
import {
  authorizationQuery,
  codeFor,
  interactionIn,
  pkce,
  postAs,
  type Registered,
  refreshAs,
  register,
  tokensFor,
} from '../support/node/oauth.ts'
import { signIn, signInForTokens, signUp } from '../support/node/person.ts'
import { freePorts, type Server } from '../support/node/server.ts'
import { type ClientKey, makeAssertion, makeKey, tokenProof } from './client-proofs.ts'
import { DEVICE_GRANT, startDevice } from './device-flow.ts'
import { bearer, connect, requireStatus } from './person.ts'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Given by configuration alone: a resource server that may exchange tokens. */
export const SERVICE = { client_id: 'service', client_secret: 'only-for-tests-and-long-enough-000000000001' }

/** What it serves. */
export const API = 'https://api.example.com'

export const SERVICE_TOML = `[[client]]
client_id = "${SERVICE.client_id}"
grant_types = ["${EXCHANGE}"]
redirect_uris = []
token_endpoint_auth_method = "client_secret_post"
client_secret_sha256 = ["${createHash('sha256').update(SERVICE.client_secret).digest('base64url')}"]
serves = ["${API}"]
`

const OFFLINE = { scope: 'openid offline_access' }
const EMAIL = 'kinds@example.com'

/** How each kind is got anew. */
function makers(server: Server, { http, person, client, asserting, key, verifiers }: Holding) {
  const token = (form: Record<string, string>, headers = {}) => postAs(http, '/oauth/token', client, form, headers)
  const given = async (proof: Record<string, string> = {}, changes = {}) => {
    const good = await codeFor(person, client, { ...OFFLINE, ...changes })
    return requireStatus(await token({ grant_type: 'authorization_code', ...good }, proof), 200).json
  }
  const tokens = () => signInForTokens(http, EMAIL)
  const query = () => authorizationQuery(client, pkce().code_challenge, { scope: 'openid', prompt: 'consent' })
  return {
    async session() {
      await signIn(person, EMAIL)
      return person.cookies.get('__Host-session') ?? ''
    },
    device_cookie: async () => person.cookies.get('__Host-device') ?? '',
    access_token: async () => (await tokens()).access_token,
    refresh_token: async () => (await tokens()).refresh_token,
    oauth_access_token: async () => (await given()).access_token,
    oauth_refresh_token: async () => (await given()).refresh_token ?? '',
    resource_token: async () => (await given({}, { resource: API })).access_token,
    bound_token: async () => (await given(await tokenProof(http, key))).access_token,
    machine_token: async () => (await token({ grant_type: 'client_credentials' })).json.access_token,
    id_token: async () => (await given()).id_token ?? '',
    logout_token: () => logoutToken(server),
    code: async () => {
      const { code, code_verifier } = await codeFor(person, client, OFFLINE)
      verifiers.set(code, code_verifier)
      return code
    },
    device_code: async () => (await startDevice(http, client, 'openid')).device_code,
    user_code: async () => (await startDevice(http, client, 'openid')).user_code,
    request_uri: async () => {
      const form = Object.fromEntries(new URLSearchParams(authorizationQuery(client, pkce().code_challenge)))
      return (await postAs<{ request_uri: string }>(http, '/oauth/par', client, form)).json.request_uri
    },
    interaction: async () => interactionIn(await person.get(`/oauth/authorize?${query()}`)),
    registration_token: async () => client.registration_access_token,
    client_secret: async () => client.client_secret ?? '',
    client_assertion: () => makeAssertion(key, asserting.client_id, server.origin),
    dpop_proof: async () => (await tokenProof(http, key)).dpop,
    operator: async () => server.vars.ADMIN_TOKEN ?? '',
  }
}

export type Kind = keyof ReturnType<typeof makers>

/** What lasts a minute or is good once: it is made anew before each use of all. */
const SHORT: readonly Kind[] = ['code', 'request_uri', 'client_assertion', 'dpop_proof', 'device_code', 'user_code']

type Holding = { http: Client; person: Client; client: Registered; asserting: Registered; key: ClientKey; verifiers: Map<string, string> }

/** A logout token, as a client receives it when its person signs out. */
async function logoutToken(server: Server): Promise<string> {
  const [port = 0] = await freePorts(1)
  const receiver = createServer()
  const posted = new Promise<string>((resolve) => {
    receiver.on('request', async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      response.end()
      resolve(new URLSearchParams(body).get('logout_token') ?? '')
    })
  })
  receiver.listen(port, '127.0.0.1')
  await once(receiver, 'listening')
  const [http, own] = [connect(server.origin), createClient(server.origin)]
  const told = await register(http, { backchannel_logout_uri: `http://127.0.0.1:${port}/logout` })
  await signUp(own, 'leaves@example.com')
  await tokensFor(http, own, told)
  requireStatus(await own.post('/api/sign-out', {}, { origin: server.origin }), 204)
  const token = await posted
  for (const client of [http, own]) client.close()
  receiver.closeAllConnections()
  await new Promise((resolve) => receiver.close(resolve))
  return token
}

export type Purse = Awaited<ReturnType<typeof fillPurse>>

export async function fillPurse(server: Server) {
  const [http, person, key] = [connect(server.origin), createClient(server.origin), await makeKey()]
  const { sub } = await signUp(person, EMAIL)
  const grant_types = ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT]
  const client = await register(http, { grant_types, token_endpoint_auth_method: 'client_secret_post' })
  const other = await register(http, { token_endpoint_auth_method: 'client_secret_post' })
  const verifiers = new Map<string, string>()
  const asserting = await register(http, { grant_types, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } })
  const make = makers(server, { http, person, client, asserting, key, verifiers })
  const kinds = Object.keys(make) as Kind[]
  const credentials = {} as Record<Kind, string>
  // One after the other: some are made with others.
  for (const kind of kinds) credentials[kind] = await make[kind]()
  const missing = kinds.filter((kind) => credentials[kind] === '' || credentials[kind] === undefined)
  if (missing.length > 0) throw new Error(`not made: ${missing}`)

  return {
    ...{ sub, client, other, asserting, key, credentials },
    client_id: client.client_id,
    /** For any other text, one that is as good as any. */
    verifierOf: (code: string) => verifiers.get(code) ?? 'A'.repeat(43),
    /** The session that pages are asked with where another credential is the one in question. */
    cookie: () => ({ cookie: `__Host-session=${person.cookies.get('__Host-session')}`, origin: server.origin }),
    async renew(kind: Kind) {
      // A session counts the wrong user codes that it typed.
      if (kind === 'user_code') await signIn(person, EMAIL)
      credentials[kind] = await make[kind]()
    },
    renewShort: () =>
      Promise.all(
        SHORT.map(async (kind) => {
          credentials[kind] = await make[kind]()
        }),
      ),
    /** Which of the lasting ones no longer work. */
    async losses(): Promise<string[]> {
      const { session, access_token, refresh_token, oauth_access_token, oauth_refresh_token, machine_token, registration_token } =
        credentials
      const active = (token: string) => postAs<{ active: boolean }>(http, '/oauth/introspect', client, { token })
      const checks: [Kind, boolean][] = [
        ['session', (await http.get('/api/session', { cookie: `__Host-session=${session}` })).status === 200],
        ['access_token', (await http.get('/api/session', bearer(access_token))).status === 200],
        ['refresh_token', (await http.post('/api/refresh', { refresh_token })).status === 200],
        ['oauth_access_token', (await active(oauth_access_token)).json.active],
        ['bound_token', (await active(credentials.bound_token)).json.active],
        ['machine_token', (await active(machine_token)).json.active],
        ['oauth_refresh_token', (await refreshAs(http, client, oauth_refresh_token)).status === 200],
        ['registration_token', (await http.get(`/oauth/register/${client.client_id}`, bearer(registration_token))).status === 200],
        ['client_secret', (await postAs(http, '/oauth/token', client, { grant_type: 'client_credentials' })).status === 200],
      ]
      return checks.filter(([, works]) => !works).map(([kind]) => kind)
    },
    async close() {
      for (const each of [http, person]) each.close()
    },
  }
}
