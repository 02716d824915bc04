/** RFC 6749, 6; RFC 9700, 4.14. The zones are the account's (sessions/rotation.ts). */
import { type Client, isConfidential, scopesOf } from '../../clients/client.ts'
import { includesScope, parseScope } from '../../protocol/scope.ts'
import { openRefreshToken } from '../../tokens/refresh-token.ts'
import { profileClaims } from '../profile-claims.ts'
import { type Grant, invalidGrant, refuseGrant } from './grant.ts'

/**
 * Whether a client gets refresh tokens. With `openid` it asks for `offline_access` (OpenID Connect Core, 11); plain OAuth has no such
 * scope, and registering for the grant is asking. `left`: what is still allowed of the granted scope.
 */
export function givesRefreshToken(client: Client, granted: string, left: string): boolean {
  // Of the two scopes each by its own: a client that loses `openid` has not become a plain OAuth client that may have more.
  return client.grant_types.includes('refresh_token') && (includesScope(left, 'offline_access') || !includesScope(granted, 'openid'))
}

export const refreshToken: Grant = async ({ client, parameters, jkt }, needs) => {
  const value = parameters.get('refresh_token')
  if (value === undefined) return refuseGrant('invalid_request', 'refresh_token is missing.')
  const scope = parameters.get('scope') ?? null
  if (scope !== null && !parseScope(scope)) return refuseGrant('invalid_scope', 'scope must be scope-tokens separated by one space.')
  const opened = await openRefreshToken(needs.ring, value)
  if (!opened) return invalidGrant('the refresh token does not open')
  const { sub, grant_id, generation, secret } = opened
  const refreshed = await needs.rotateRefreshToken(sub, {
    ...{ grant_id, generation, secret, network: needs.network() },
    client_id: client.client_id,
    secret_id: needs.ring.newest.id,
    allowed: { scopes: scopesOf(client, needs.offered), audiences: needs.audiences },
    by: { confidential: isConfidential(client), jkt, scope, resource: parameters.get('resource') ?? null },
  })
  if (!refreshed.ok) {
    if (refreshed.error === 'invalid_grant') return invalidGrant(refreshed.reason)
    return refuseGrant(refreshed.error, 'It asks for more than was granted, or than is still given here.', refreshed.reason)
  }
  const { token, refresh, authentication, profile, sid } = refreshed
  const identity = { ...authentication, sid, nonce: null, profile: profileClaims(token.scope, profile) }
  return {
    ok: true,
    token,
    refresh,
    identity: includesScope(token.scope, 'openid') ? identity : null,
  }
}
