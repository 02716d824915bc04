// panva's oidc-provider on Node. Told by its parent over IPC where its state is; ends with it. `POST /bench/codes` makes authorization
// codes by the library's own models, as its interactions would after a consent; that is never timed.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import { CALLBACK, PUBLIC, PUBLIC_ES256, SERVICE } from '../flows.mjs'
import { mapAdapter } from './map-adapter.mjs'
import { redisAdapter } from './redis-adapter.mjs'
import { sqliteAdapter } from './sqlite-adapter.mjs'

process.env.NODE_ENV = 'production'
// Its advice for a first set-up.
console.warn = () => {}
console.info = () => {}

const RESOURCES = { 'urn:bench:opaque': 'opaque', 'urn:bench:jwt': 'jwt' }
const SCOPE = 'api'
const DAY = 86_400

function signingKey(type, options, more) {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', ...more }
}

const resourceIndicators = {
  enabled: true,
  useGrantedResource: () => true,
  getResourceServerInfo: (_, resource) => ({
    scope: SCOPE,
    audience: resource,
    accessTokenFormat: RESOURCES[resource],
    accessTokenTTL: 300,
    jwt: { sign: { alg: 'ES256' } },
  }),
}

function clients(service) {
  const code = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] }
  return [
    { client_id: PUBLIC, token_endpoint_auth_method: 'none', ...code },
    { client_id: PUBLIC_ES256, token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256', ...code },
    {
      ...{ ...code, client_id: SERVICE, client_secret: service, token_endpoint_auth_method: 'client_secret_basic' },
      grant_types: [...code.grant_types, 'client_credentials'],
    },
  ]
}

const adapterOf = async (state) => (state?.redis ? redisAdapter(state.redis) : state ? sqliteAdapter(state) : mapAdapter())

function makeProvider(adapter, secret) {
  const provider = new Provider('http://127.0.0.1', {
    adapter,
    jwks: {
      keys: [
        signingKey('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: 'es' }),
        signingKey('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: 'rs' }),
      ],
    },
    clients: clients(secret),
    scopes: ['openid', 'offline_access', SCOPE],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators,
    },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    rotateRefreshToken: true,
    issueRefreshToken: () => true,
    cookies: { keys: ['only-for-the-bench'] },
    ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: DAY, IdToken: 300, RefreshToken: DAY, Session: DAY },
  })
  provider.proxy = true
  return provider
}

/** A person's consent, once for each client, resource and scope. */
async function grantOf(provider, kept, { accountId, clientId, resource, scope }) {
  const name = `${accountId} ${clientId} ${resource} ${scope}`
  const held = kept.get(name)
  if (held) return held
  const grant = new provider.Grant({ accountId, clientId })
  grant.addOIDCScope(scope)
  grant.addResourceScope(resource, SCOPE)
  const id = await grant.save()
  kept.set(name, id)
  return id
}

async function makeCode(provider, kept, { accountId, clientId, resource, scope, codeChallenge }) {
  const client = await provider.Client.find(clientId)
  const grantId = await grantOf(provider, kept, { accountId, clientId, resource, scope })
  const code = new provider.AuthorizationCode({
    ...{ accountId, client, clientId, grantId, resource, scope, codeChallenge },
    codeChallengeMethod: 'S256',
    redirectUri: CALLBACK,
    gty: 'authorization_code',
    authTime: Math.floor(Date.now() / 1000),
    claims: {},
    expiresWithSession: false,
  })
  return code.save()
}

async function bodyOf(request) {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return JSON.parse(text)
}

const [config] = await once(process, 'message')
const provider = makeProvider(await adapterOf(config.state), config.secret)
const kept = new Map()
const handle = provider.callback()
const server = createServer(async (request, response) => {
  if (request.url !== '/bench/codes') return handle(request, response)
  const codes = []
  for (const asked of await bodyOf(request)) codes.push(await makeCode(provider, kept, asked))
  response.end(JSON.stringify(codes))
})
server.keepAliveTimeout = 60_000
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
process.send({ port: server.address().port })
process.on('disconnect', () => process.exit())
