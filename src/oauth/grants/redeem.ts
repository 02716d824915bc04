import { isConfidential, scopesOf } from '../../clients/client.ts'
import { includesScope } from '../../protocol/scope.ts'
import { randomId } from '../../tokens/random-id.ts'
import { profileClaims } from '../profile-claims.ts'
import { type Granted, type GrantNeeds, type GrantRefusal, invalidGrant, refuseGrant, type TokenRequest } from './grant.ts'
import { givesRefreshToken } from './refresh-token.ts'

/** The account's code, however it came to the client: by its address, or by its polling. */
export type HeldCode = { sub: string; id: string; redirect_uri: string | null; code_verifier: string | null }

/** Redeems a code at its account, once, and says what it grants. */
export async function redeem(
  { client, parameters, jkt }: TokenRequest,
  { sub, ...held }: HeldCode,
  needs: GrantNeeds,
): Promise<Granted | GrantRefusal> {
  const redeemed = await needs.redeemCode(sub, {
    ...held,
    ...{ jkt, network: needs.network(), client_id: client.client_id, confidential: isConfidential(client) },
    resource: parameters.get('resource') ?? null,
    secret_id: needs.ring.newest.id,
    allowed: { scopes: scopesOf(client, needs.offered), audiences: needs.audiences },
    attempt: randomId(),
  })
  if (!redeemed.ok) {
    return redeemed.error === 'invalid_grant'
      ? invalidGrant(redeemed.reason)
      : refuseGrant(redeemed.error, 'It asks for more than was granted, or than is still given here.', redeemed.reason)
  }
  const { token, scope, sid, nonce, authentication, profile, refresh } = redeemed
  return {
    ok: true,
    token,
    refresh: givesRefreshToken(client, scope, token.scope) ? refresh : null,
    identity: includesScope(token.scope, 'openid') ? { ...authentication, sid, nonce, profile: profileClaims(token.scope, profile) } : null,
  }
}
