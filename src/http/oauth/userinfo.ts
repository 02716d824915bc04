import { profileClaims } from '../../oauth/profile-claims.ts'
import { includesScope } from '../../protocol/scope.ts'
import { TokenError, type VerifiedToken } from '../../sdk/index.ts'
import { idsOf } from '../../sessions/prove-token.ts'
import type { AppContext } from '../context.ts'
import { operation } from '../operation.ts'
import { presentedToken } from './presented-token.ts'

const challenge = (code: 'token_outdated' | 'token_revoked', reason: string) => new TokenError(code, reason)

/** What the scopes open of a person (OpenID Connect Core, 5.4). */
function claimsOf(scope: string, person: { sub: string; email: string; name: string | null; roles: string[] }): object {
  const { sub, roles } = person
  return { sub, ...profileClaims(scope, person), ...(includesScope(scope, 'roles') ? { roles } : {}) }
}

async function answer(c: AppContext): Promise<Response> {
  const { claims }: VerifiedToken = await presentedToken(c)
  if (!includesScope(claims.scope, 'openid')) throw new TokenError('insufficient_scope', 'no openid', { scope: 'openid' })
  const ids = idsOf(claims)
  // The `live` answer in one round: the account says it with what it gives, and beside it the client says whether it is there still.
  const [owner, client] = await Promise.all([
    c.get('objects').account(claims.sub, 'owner', (stub) => stub.owner(ids)),
    c.get('services').clientCheck(claims),
  ])
  if (!client.active) throw challenge('token_revoked', 'its client is gone')
  if (!owner.ok) throw challenge(owner.error === 'outdated' ? 'token_outdated' : 'token_revoked', 'the account says so')
  return c.json(claimsOf(claims.scope, owner.person))
}

export const userinfo = operation({
  summary:
    'What the scopes of an access token open of its person (OpenID Connect Core, 5.3); by GET, or by POST with the token in the form.',
  access: 'bearer',
  answers: { 200: { description: 'The claims.' } },
  problems: [],
  handle: answer,
})
