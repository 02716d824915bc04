/** RFC 6749, 4.4: a client acts for itself. Its `sub` is its `client_id` (RFC 9068, 2.2), which no account's can be. */
import { isConfidential } from '../../clients/client.ts'
import { ACCESS_TOKEN_LIFETIME } from '../../protocol/claims.ts'
import { includesScope, parseScope } from '../../protocol/scope.ts'
import { randomId } from '../../tokens/random-id.ts'
import { type Grant, refuseGrant } from './grant.ts'

export const clientCredentials: Grant = async ({ client, parameters, jkt, now }, { scopes, audiences, issuer }) => {
  if (!isConfidential(client)) return refuseGrant('unauthorized_client', 'This grant is for clients that authenticate.')
  const aud = parameters.get('resource') ?? issuer
  if (!audiences.includes(aud)) return refuseGrant('invalid_target', 'resource must be one of the audiences of this issuer.')
  const text = parameters.get('scope') ?? ''
  const asked = text === '' ? [] : parseScope(text)
  const own = client.scope === null ? scopes : client.scope
  if (!asked || !includesScope(scopes, asked) || !includesScope(own, asked)) {
    return refuseGrant('invalid_scope', 'This client may not have all of these scopes.')
  }
  const { client_id } = client
  const cnf = jkt === null ? {} : { cnf: { jkt } }
  const token = {
    sub: client_id,
    aud,
    exp: now + ACCESS_TOKEN_LIFETIME,
    iat: now,
    jti: randomId(),
    client_id,
    scope: asked.join(' '),
    ver: 0,
    ...cnf,
  }
  return { ok: true, token, refresh: null, identity: null }
}
