/** RFC 6749, 4.1.3; RFC 7636, 4.5. */
import { isCodeVerifier } from '../../protocol/pkce.ts'
import { openAuthorizationCode } from '../../tokens/authorization-code.ts'
import { type Grant, invalidGrant, refuseGrant } from './grant.ts'
import { redeem } from './redeem.ts'

export const authorizationCode: Grant = async (request, needs) => {
  const { parameters } = request
  const value = parameters.get('code')
  if (value === undefined) return refuseGrant('invalid_request', 'code is missing.')
  const code_verifier = parameters.get('code_verifier') ?? null
  if (code_verifier !== null && !isCodeVerifier(code_verifier)) {
    return refuseGrant('invalid_request', 'code_verifier must have 43 to 128 unreserved characters.')
  }
  const opened = await openAuthorizationCode(needs.ring, value)
  if (!opened) return invalidGrant('the code does not open')
  return redeem(request, { ...opened, redirect_uri: parameters.get('redirect_uri') ?? null, code_verifier }, needs)
}
