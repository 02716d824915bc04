/** Dynamic client registration (RFC 7591) and its management (RFC 7592). */
import { type Client, usesSecret } from '../../clients/client.ts'
import { hashClientSecret, makeClientSecret } from '../../clients/client-secret.ts'
import { readClientMetadata } from '../../clients/metadata.ts'
import { readBearer } from '../../protocol/bearer.ts'
import { readStrictJson } from '../../sdk/strict-json.ts'
import { randomId } from '../../tokens/random-id.ts'
import { openRegistrationToken, sealRegistrationToken } from '../../tokens/registration-token.ts'
import { readBytes } from '../body.ts'
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { operation } from '../operation.ts'
import { ApiError } from '../problem.ts'
import { forgetClient } from './find-client.ts'
import { OAuthError } from './oauth-error.ts'

type Members = Readonly<Record<string, unknown>>

const invalidToken = (reason: string): OAuthError =>
  new OAuthError('invalid_token', 'The token is missing, wrong, or of another client.', {
    reason,
    headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  })

/** The body: a JSON object with one reading. */
async function readMembers(c: AppContext): Promise<Members> {
  const refuse = (description: string) => new OAuthError('invalid_client_metadata', description)
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header('Content-Type') ?? '')) throw refuse('The body must be application/json.')
  const bytes = await readBytes(c.req.raw).catch((cause) => {
    if (!(cause instanceof ApiError)) throw cause
    throw refuse(cause.code === 'body_too_large' ? 'The body is larger than 16 KiB.' : 'The body broke off.')
  })
  const reading = readStrictJson(bytes)
  if (!reading.ok || typeof reading.value !== 'object' || reading.value === null || Array.isArray(reading.value)) {
    throw refuse('The body must be a JSON object in UTF-8, each member once.')
  }
  return Object.fromEntries(Object.entries(reading.value))
}

function readMetadata(c: AppContext, client_id: string, members: Members): Client {
  // Whoever may register in production was let in by the operator.
  const rules = { ...c.get('services').config, source: 'registration', mayBeLegacy: true } as const
  const read = readClientMetadata(client_id, members, rules)
  if (!read.ok) throw new OAuthError(read.error, read.description)
  return read.client
}

const sha256 = (text: string) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))

/** Open in development; in production whoever has the initial access token (RFC 7591, 3); without one there is no registration. */
async function requireInitialAccess(c: AppContext): Promise<void> {
  const { development, initialAccessToken } = c.get('services').config
  if (development) return
  if (initialAccessToken === undefined) throw new ApiError('not_found')
  const bearer = readBearer(c.req.raw.headers, c.req.url)
  const [given, expected] = await Promise.all([sha256(bearer.ok ? bearer.token : ''), sha256(initialAccessToken)])
  if (!bearer.ok || !crypto.subtle.timingSafeEqual(given, expected)) throw invalidToken('no initial access token')
}

type Manager = { client_id: string; token: string; registration_hash: string }

/** Who manages this registration. A token that we did not make for this very client opens no object. */
async function requireManager(c: AppContext): Promise<Manager> {
  const client_id = c.req.param('client_id') ?? ''
  const bearer = readBearer(c.req.raw.headers, c.req.url)
  if (!bearer.ok) throw invalidToken(bearer.reason)
  const { token } = bearer
  if ((await openRegistrationToken(c.get('services').ring, token)) !== client_id) throw invalidToken('not the token of this client')
  return { client_id, token, registration_hash: await hashClientSecret(token) }
}

type Answered = { client: Client; created_at: number; token: string; secret: string | null }

/** The client information response (RFC 7591, 3.2.1). What was not said and has no default is left out. */
function clientInformation(c: AppContext, { client, created_at, token, secret }: Answered) {
  const { client_id, source: _, serves: __, legacy_oidc, ...metadata } = client
  const said = Object.entries(metadata).filter(([, value]) => value !== null)
  return {
    client_id,
    client_id_issued_at: created_at,
    ...(secret === null ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    registration_access_token: token,
    registration_client_uri: `${c.get('services').config.issuer}/oauth/register/${client_id}`,
    ...Object.fromEntries(said),
    response_types: client.grant_types.includes('authorization_code') ? ['code'] : [],
    ...(legacy_oidc ? { legacy_oidc } : {}),
  }
}

const REFUSED = {
  400: { description: '`invalid_redirect_uri`, `invalid_client_metadata` (RFC 7591, 3.2.2): the description names the member.' },
  401: { description: '`invalid_token`: the token is missing, wrong, or of another client.' },
}

export const registered = operation({
  summary: 'Register a client (RFC 7591). Open in development; in production with the initial access token, or not there at all.',
  access: 'open',
  answers: { 201: { description: 'The client, its secret if it has one (shown once), and the token that manages it.' }, ...REFUSED },
  problems: ['not_found'],
  async handle(c) {
    await requireInitialAccess(c)
    const client = readMetadata(c, randomId(), await readMembers(c))
    const { client_id } = client
    const token = await sealRegistrationToken(c.get('services').ring, client_id)
    const secret = usesSecret(client) ? makeClientSecret() : null
    const registration_hash = await hashClientSecret(token)
    const secret_hash = secret === null ? null : await hashClientSecret(secret)
    const made = await c.get('objects').client(client_id, 'register', (stub) => stub.register({ client, registration_hash, secret_hash }))
    if (!made.ok) throw new Error('a random client_id was taken')
    log(c, 'info', 'client_registered', { client_id })
    return c.json(clientInformation(c, { client, created_at: made.created_at, token, secret }), 201)
  },
})

export const readRegistration = operation({
  summary: 'What a client has registered (RFC 7592, 2.1), with its registration access token. Secrets are not shown again.',
  access: 'open',
  answers: { 200: { description: 'The client.' }, 401: REFUSED[401] },
  problems: [],
  async handle(c) {
    const { client_id, token, registration_hash } = await requireManager(c)
    const read = await c.get('objects').client(client_id, 'read', (stub) => stub.read(registration_hash))
    if (!read.ok) throw invalidToken('the client does not know it')
    return c.json(clientInformation(c, { ...read, token, secret: null }))
  },
})

/** What is no text is no secret of ours. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** RFC 7592, 2.2: the client says again who it is, and may say which secret it has; neither can be changed so. */
export const changedRegistration = operation({
  summary: 'Replace what a client has registered (RFC 7592, 2.2). Its id and its secret stay.',
  access: 'open',
  answers: { 200: { description: 'The client, with a secret if it needs one now and had none.' }, ...REFUSED },
  problems: [],
  async handle(c) {
    const { client_id, token, registration_hash } = await requireManager(c)
    const members = await readMembers(c)
    const { client_secret } = members
    if (members.client_id !== client_id) throw new OAuthError('invalid_client_metadata', 'client_id must be the one of this client.')
    const client = readMetadata(c, client_id, members)
    const secret = makeClientSecret()
    const secret_hash = await hashClientSecret(secret)
    const given_hash = client_secret === undefined || client_secret === null ? null : await hashClientSecret(textOf(client_secret))
    const change = { client, secret_hash, given_hash }
    const updated = await c.get('objects').client(client_id, 'update', (stub) => stub.update(registration_hash, change))
    if (!updated.ok) {
      if (updated.error === 'invalid_token') throw invalidToken('the client does not know it')
      throw new OAuthError('invalid_client_metadata', 'client_secret must be the one of this client; it cannot be chosen.')
    }
    forgetClient(c, client_id)
    return c.json(clientInformation(c, { ...updated, token, secret: updated.taken ? secret : null }))
  },
})

export const removedRegistration = operation({
  summary: 'Remove a client (RFC 7592, 2.3): its tokens are refused, within the bound.',
  access: 'open',
  answers: { 204: { description: 'Removed, and the revocation list knows.' }, 401: REFUSED[401] },
  problems: [],
  async handle(c) {
    const { client_id, registration_hash } = await requireManager(c)
    const removed = await c.get('objects').client(client_id, 'remove', (stub) => stub.remove(registration_hash))
    if (!removed.ok) throw invalidToken('the client does not know it')
    forgetClient(c, client_id)
    log(c, 'info', 'client_removed', { client_id })
    if (!removed.denied) {
      const description = 'The client is removed; not every verifier knows yet. Repeat the request.'
      throw new OAuthError('temporarily_unavailable', description, { headers: { 'Retry-After': '2' } })
    }
    return c.body(null, 204)
  },
})

export const rotatedSecret = operation({
  summary: 'Give a client another secret (an extension of ours): the ones before it work for 24 hours more.',
  access: 'open',
  answers: { 200: { description: 'The client with its new secret, shown once.' }, ...REFUSED },
  problems: [],
  async handle(c) {
    const { client_id, token, registration_hash } = await requireManager(c)
    const secret = makeClientSecret()
    const secret_hash = await hashClientSecret(secret)
    const rotated = await c.get('objects').client(client_id, 'rotateSecret', (stub) => stub.rotateSecret(registration_hash, secret_hash))
    if (!rotated.ok) {
      if (rotated.error === 'invalid_token') throw invalidToken('the client does not know it')
      throw new OAuthError('invalid_client_metadata', 'This client has no secret: token_endpoint_auth_method says how it proves who it is.')
    }
    forgetClient(c, client_id)
    log(c, 'info', 'client_secret_rotated', { client_id })
    return c.json(clientInformation(c, { ...rotated, token, secret }))
  },
})
