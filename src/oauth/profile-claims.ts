import { includesScope } from '../protocol/scope.ts'
import type { ProfileClaims } from '../tokens/id-token.ts'

/** What the scopes open of a person (OpenID Connect Core, 5.4): in userinfo, and in the ID token, where most libraries look first. */
export function profileClaims(scope: string, { email, name }: { email: string; name: string | null }): ProfileClaims {
  return {
    ...(includesScope(scope, 'profile') && name !== null ? { name } : {}),
    ...(includesScope(scope, 'email') ? { email, email_verified: false } : {}),
  }
}
