/** RFC 6749, 4.1.3; RFC 7636, 4.5. */
import { isConfidential } from '../../clients/client.ts'
import { isCodeVerifier } from '../../protocol/pkce.ts'
import { openAuthorizationCode } from '../../tokens/authorization-code.ts'
import { randomId } from '../../tokens/random-id.ts'
import { profileClaims } from '../profile-claims.ts'
import { type Grant, invalidGrant, refuseGrant } from './grant.ts'
import { givesRefreshToken } from './refresh-token.ts'

export const authorizationCode: Grant = async ({ client, parameters, jkt, network }, needs) => {
  const value = parameters.get('code')
  if (value === undefined) return refuseGrant('invalid_request', 'code is missing.')
  const code_verifier = parameters.get('code_verifier') ?? null
  if (code_verifier !== null && !isCodeVerifier(code_verifier)) {
    return refuseGrant('invalid_request', 'code_verifier must have 43 to 128 unreserved characters.')
  }
  const opened = await openAuthorizationCode(needs.ring, value)
  if (!opened) return invalidGrant('the code does not open')
  const redeemed = await needs.redeemCode(opened.sub, {
    id: opened.id,
    client_id: client.client_id,
    redirect_uri: parameters.get('redirect_uri') ?? null,
    code_verifier,
    confidential: isConfidential(client),
    jkt,
    resource: parameters.get('resource') ?? null,
    secret_id: needs.ring.newest.id,
    network,
    attempt: randomId(),
  })
  if (!redeemed.ok) {
    return redeemed.error === 'invalid_grant'
      ? invalidGrant(redeemed.reason)
      : refuseGrant(redeemed.error, 'resource was not granted.', redeemed.reason)
  }
  const { token, scope, sid, nonce, authentication, profile, refresh } = redeemed
  return {
    ok: true,
    token,
    refresh: givesRefreshToken(client, scope) ? refresh : null,
    identity: scope.split(' ').includes('openid') ? { ...authentication, sid, nonce, profile: profileClaims(scope, profile) } : null,
  }
}
