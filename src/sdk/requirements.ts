// What a service or route wants of a token beyond being valid: scopes, roles, how and when the person signed in (RFC 6750 3.1, RFC 9470).

import type { AccessTokenClaims } from '../protocol/claims.ts'
import { includesScope } from '../protocol/scope.ts'
import type { ChallengeNeeds } from './token-error.ts'

/** Each is a text or a list; what is absent is not asked for. */
export type Requirements = {
  /** Scopes, all of them: a scope string or a list. */
  scope?: string | readonly string[]
  /** Roles, any one of them. */
  roles?: string | readonly string[]
  /** Authentication context classes, any one of them. */
  acr_values?: string | readonly string[]
  /** The most seconds since the person signed in. A token without `auth_time` is no proof of any sign-in. */
  max_age?: number
}

/** Why the claims do not do, and what the challenge says is needed. */
export type Lack = {
  code: 'insufficient_scope' | 'insufficient_role' | 'reauthentication_required'
  reason: string
  needs: ChallengeNeeds
}

/** The first thing that the claims lack at `now` (seconds since 1970); null when nothing. */
export function findLack(claims: Readonly<AccessTokenClaims>, requires: Requirements, now: number): Lack | null {
  const { scope, roles, acr_values, max_age } = requires
  if (scope !== undefined && !includesScope(claims.scope, scope)) {
    return { code: 'insufficient_scope', reason: 'scope', needs: { scope: listOf(scope).join(' ') } }
  }
  if (roles !== undefined && !listOf(roles).some((role) => claims.roles?.includes(role))) {
    return { code: 'insufficient_role', reason: 'roles', needs: {} }
  }
  const { acr = '', auth_time = -Infinity } = claims
  const isRecent = max_age === undefined || now - auth_time <= max_age
  if (isRecent && (acr_values === undefined || listOf(acr_values).includes(acr))) return null
  const needs = { acr_values: acr_values && listOf(acr_values).join(' '), max_age }
  return { code: 'reauthentication_required', reason: isRecent ? 'acr' : 'auth_time', needs }
}

/** One text, or a list of them, as a list. */
export const listOf = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value)
