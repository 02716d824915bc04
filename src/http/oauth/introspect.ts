import type { Client } from '../../clients/client.ts'
import { isConfidential, scopesOf } from '../../clients/client.ts'
import { TokenError } from '../../sdk/index.ts'
import { openRefreshToken } from '../../tokens/refresh-token.ts'
import type { AppContext } from '../context.ts'
import { liveErrorOf } from '../live-check.ts'
import { operation } from '../operation.ts'
import { authenticateClient } from './authenticate-client.ts'
import { readForm } from './form.ts'
import { OAuthError } from './oauth-error.ts'
import { offerOf } from './offer.ts'

const INACTIVE = { active: false }

async function describeRefreshToken(c: AppContext, client: Client, value: string): Promise<object | null> {
  const opened = await openRefreshToken(c.get('services').ring, value)
  if (!opened) return null
  const { config } = c.get('services')
  const { sub, grant_id, generation, secret } = opened
  const allowed = { scopes: scopesOf(client, offerOf(config).scopes), audiences: config.audiences }
  const shown = { grant_id, generation, secret, client_id: client.client_id, allowed }
  const facts = await c.get('objects').account(sub, 'describeRefreshToken', (stub) => stub.describeRefreshToken(shown))
  if (!facts.active) return INACTIVE
  const { jkt, ...rest } = facts
  return { ...rest, client_id: client.client_id, iss: config.issuer, ...(jkt === null ? {} : { cnf: { jkt } }) }
}

/** The `live` answer about an access token, to the client it was made for and to its audience's resource server; to others it is inactive. */
async function describeAccessToken(c: AppContext, client: Client, value: string): Promise<object> {
  const { checker } = c.get('services')
  try {
    const { claims } = await checker.verifyToken(value, { boundTo: 'unproven', waitUntil: (work) => c.executionCtx.waitUntil(work) })
    if (claims.client_id !== client.client_id && !client.serves.includes(claims.aud)) return INACTIVE
    return { active: true, token_type: claims.cnf ? 'DPoP' : 'Bearer', ...claims }
  } catch (error) {
    if (!(error instanceof TokenError) || error.code === 'verifier_unavailable') throw error
    // A resource server that verifies for itself is told what its client should do: refresh, or sign in.
    return liveErrorOf(error) === 'outdated' && client.serves.length > 0 ? { ...INACTIVE, error: 'outdated' } : INACTIVE
  }
}

export const introspect = operation({
  summary: 'Whether a token is active at this moment (RFC 7662): to the client it belongs to, and to the resource server of its audience.',
  access: 'client',
  answers: { 200: { description: '{"active": false}, or what the token says.' } },
  problems: [],
  async handle(c) {
    const parameters = await readForm(c)
    const client = await authenticateClient(c, parameters)
    if (!isConfidential(client)) throw new OAuthError('unauthorized_client', 'Introspection is for clients that authenticate.')
    const value = parameters.get('token')
    if (value === undefined) throw new OAuthError('invalid_request', 'token is missing.')
    return c.json((await describeRefreshToken(c, client, value)) ?? (await describeAccessToken(c, client, value)), 200)
  },
})
