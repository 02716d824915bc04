/** RFC 8628, 3.4. */
import { isConfidential } from '../../clients/client.ts'
import { openDeviceCode } from '../../tokens/device-code.ts'
import { randomId } from '../../tokens/random-id.ts'
import { profileClaims } from '../profile-claims.ts'
import { type Grant, invalidGrant, refuseGrant } from './grant.ts'
import { givesRefreshToken } from './refresh-token.ts'

const REFUSALS = {
  pending: refuseGrant('authorization_pending', 'The person has not decided yet.'),
  slow_down: refuseGrant('slow_down', 'Wait 5 seconds longer between two requests.'),
  denied: refuseGrant('access_denied', 'The person has not allowed it.'),
  expired: refuseGrant('expired_token', 'The person took too long: begin again.'),
  unknown: invalidGrant('the device code is not of this client'),
}

export const deviceCode: Grant = async ({ client, parameters, jkt, network }, needs) => {
  const value = parameters.get('device_code')
  if (value === undefined) return refuseGrant('invalid_request', 'device_code is missing.')
  const opened = await openDeviceCode(needs.ring, value)
  if (!opened) return invalidGrant('the device code does not open')
  const { client_id } = client
  const polled = await needs.pollDevice(opened.user_code, { secret: opened.secret, client_id })
  if (polled.state !== 'approved') return REFUSALS[polled.state]
  const redeemed = await needs.redeemCode(polled.sub, {
    ...{ id: polled.code, client_id, jkt, network },
    redirect_uri: null,
    code_verifier: null,
    confidential: isConfidential(client),
    resource: parameters.get('resource') ?? null,
    secret_id: needs.ring.newest.id,
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
