import type { Client } from '../../clients/client.ts'
import type { Ended } from '../../objects/account-answers.ts'
import { TokenError, type VerifiedToken } from '../../sdk/index.ts'
import { openRefreshToken } from '../../tokens/refresh-token.ts'
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { operation } from '../operation.ts'
import { authenticateClient } from './authenticate-client.ts'
import { readForm } from './form.ts'
import { OAuthError } from './oauth-error.ts'

/** An access token of ours that has not expired, whatever has become of it; null for everything else. */
async function readAccessToken(c: AppContext, value: string): Promise<VerifiedToken | null> {
  try {
    return await c.get('services').checker.verifyToken(value, { boundTo: 'unproven', freshness: 'offline' })
  } catch (error) {
    if (error instanceof TokenError && error.code !== 'verifier_unavailable') return null
    throw error
  }
}

async function revoked(c: AppContext, client: Client, value: string): Promise<Ended | null> {
  const { account, client: clientObject } = c.get('objects')
  const opened = await openRefreshToken(c.get('services').ring, value)
  if (opened) {
    const { sub, grant_id, generation, secret } = opened
    const shown = { grant_id, generation, secret, client_id: client.client_id }
    return account(sub, 'revokeRefreshToken', (stub) => stub.revokeRefreshToken(shown))
  }
  const read = await readAccessToken(c, value)
  if (read?.claims.client_id !== client.client_id) return null
  const { sub, jti, exp } = read.claims
  // A machine's token is its client's own; every other one is an account's.
  if (sub === client.client_id) return clientObject(client.client_id, 'revokeToken', (stub) => stub.revokeToken({ jti, exp }))
  return account(sub, 'revokeToken', (stub) => stub.revokeToken({ jti, exp }))
}

export const revoke = operation({
  summary: "End a client's own token (RFC 7009): an access token is denied everywhere, a refresh token ends with its family.",
  access: 'client',
  answers: { 200: { description: 'It is ended, or was never good. The revocation list knows.' } },
  problems: [],
  async handle(c) {
    const parameters = await readForm(c)
    const client = await authenticateClient(c, parameters)
    const value = parameters.get('token')
    if (value === undefined) throw new OAuthError('invalid_request', 'token is missing.')
    const ended = await revoked(c, client, value)
    if (ended?.denied === false) {
      throw new OAuthError('temporarily_unavailable', 'It is ended; not every verifier knows yet. Repeat the request.', {
        headers: { 'Retry-After': '2' },
      })
    }
    if (ended) log(c, 'info', 'token_revoked', { client_id: client.client_id })
    return c.body(null, 200)
  },
})
