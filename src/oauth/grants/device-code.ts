/** RFC 8628, 3.4. */
import { openDeviceCode } from '../../tokens/device-code.ts'
import { type Grant, invalidGrant, refuseGrant } from './grant.ts'
import { redeem } from './redeem.ts'

const REFUSALS = {
  pending: refuseGrant('authorization_pending', 'The person has not decided yet.'),
  slow_down: refuseGrant('slow_down', 'Wait 5 seconds longer between two requests.'),
  denied: refuseGrant('access_denied', 'The person has not allowed it.'),
  expired: refuseGrant('expired_token', 'The person took too long: begin again.'),
  unknown: invalidGrant('the device code is not of this client'),
}

export const deviceCode: Grant = async (request, needs) => {
  const { client, parameters } = request
  const value = parameters.get('device_code')
  if (value === undefined) return refuseGrant('invalid_request', 'device_code is missing.')
  const opened = await openDeviceCode(needs.ring, value)
  if (!opened) return invalidGrant('the device code does not open')
  const polled = await needs.pollDevice(opened.user_code, { secret: opened.secret, client_id: client.client_id })
  if (polled.state !== 'approved') return REFUSALS[polled.state]
  return redeem(request, { sub: polled.sub, id: polled.code, redirect_uri: null, code_verifier: null }, needs)
}
