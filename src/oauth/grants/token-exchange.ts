/**
 * RFC 8693: a service that was called with a user's access token asks for one of its own to call another service with, in that user's
 * name. It only ever narrows: no scope is added, none is kept that the service may not have itself, nothing lives longer, and whatever ends
 * the first token's session, grant or account ends the second. Taking back that one token, or its client, does not: the second has a `jti`
 * and a client of its own, for 5 minutes at most.
 */
import { isConfidential, scopesOf } from '../../clients/client.ts'
import { ACCESS_TOKEN_LIFETIME } from '../../protocol/claims.ts'
import { includesScope, parseScope } from '../../protocol/scope.ts'
import { randomId } from '../../tokens/random-id.ts'
import { type Grant, refuseGrant } from './grant.ts'

export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** A chain of services is named from the last to the first (RFC 8693, 4.1); longer ones are refused. */
const MAX_ACTORS = 4

const depthOf = (act: { act?: object } | undefined): number => (act === undefined ? 0 : 1 + depthOf(act.act))

/** What is asked of the subject's scope, or else of it what the service itself may have: nothing may be left. Null: more was asked for. */
function narrowed(asked: string | undefined, held: string, own: readonly string[]): string | null {
  const left = held.split(' ').filter((scope) => own.includes(scope))
  const scopes = asked === undefined ? left : parseScope(asked)
  return scopes && includesScope(left, scopes) ? scopes.join(' ') : null
}

export const tokenExchange: Grant = async ({ client, parameters, jkt, now }, needs) => {
  const { audiences, issuer, offered, verifyAccessToken } = needs
  if (!isConfidential(client)) return refuseGrant('unauthorized_client', 'This grant is for clients that authenticate.')
  const subject_token = parameters.get('subject_token')
  if (subject_token === undefined) return refuseGrant('invalid_request', 'subject_token is missing.')
  if (parameters.get('subject_token_type') !== ACCESS_TOKEN_TYPE)
    return refuseGrant('invalid_request', `subject_token_type must be ${ACCESS_TOKEN_TYPE}.`)
  if ((parameters.get('requested_token_type') ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE) {
    return refuseGrant('invalid_request', `requested_token_type must be ${ACCESS_TOKEN_TYPE}.`)
  }
  if (parameters.has('actor_token')) return refuseGrant('invalid_request', 'The client itself is the actor: no actor_token.')
  const subject = await verifyAccessToken(subject_token)
  // One that was made for somebody else was never sent to this service by its owner (RFC 8693, 2.1 leaves that to us).
  if (!subject || !client.serves.includes(subject.aud)) {
    return refuseGrant(
      'invalid_request',
      'subject_token is not a living access token for this service.',
      subject ? 'another audience' : 'not living',
    )
  }
  if (subject.sub === subject.client_id) return refuseGrant('invalid_request', "subject_token is no user's.")
  const aud = parameters.get('resource') ?? parameters.get('audience') ?? issuer
  if (!audiences.includes(aud)) return refuseGrant('invalid_target', 'resource must be one of the audiences of this issuer.')
  const scope = narrowed(parameters.get('scope'), subject.scope, scopesOf(client, offered))
  if (scope === null) return refuseGrant('invalid_scope', 'More was asked for than subject_token holds, or than this client may have.')
  if (depthOf(subject.act) >= MAX_ACTORS) return refuseGrant('invalid_request', 'Too many services stand between.')
  const { sub, ver, sid, grant_id, auth_time, acr, amr } = subject
  // Shown for the scope of that name they go with it; the deployment's own apps need none for them.
  const roles = includesScope(subject.scope, 'roles') && !includesScope(scope, 'roles') ? undefined : subject.roles
  const kept = JSON.parse(JSON.stringify({ sid, grant_id, auth_time, acr, amr, roles }))
  const token = {
    ...{ sub, ver, aud, scope, iat: now, ...kept },
    exp: Math.min(subject.exp, now + ACCESS_TOKEN_LIFETIME),
    jti: randomId(),
    client_id: client.client_id,
    act: { sub: client.client_id, ...(subject.act ? { act: subject.act } : {}) },
    ...(jkt === null ? {} : { cnf: { jkt } }),
  }
  return { ok: true, token, refresh: null, identity: null, issued_token_type: ACCESS_TOKEN_TYPE }
}
