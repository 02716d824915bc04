import { type Allowed, stillAllowed } from '../sessions/allowed.ts'
import type { EndStores } from '../sessions/end.ts'
import { generationSecret } from '../sessions/generation-secret.ts'
import { equalBytes } from '../sessions/prove.ts'
import { endFamily } from '../sessions/refresh.ts'
import { decideRotation } from '../sessions/rotation.ts'
import { type FamilyRow, familyEnd, sessionEnd } from '../sessions/session.ts'

/** A refresh token whose MAC is right, and the client that shows it. */
export type ShownRefreshToken = { grant_id: string; generation: number; secret: Uint8Array; client_id: string }

export type AskedRefreshToken = ShownRefreshToken & { allowed: Allowed }

/** What introspection says of a refresh token (RFC 7662, 2.2). */
export type RefreshTokenFacts =
  | { active: false }
  | { active: true; sub: string; scope: string; aud: string[]; iat: number; exp: number; jkt: string | null }

/** Whether the token is one of the family's, and the family this client's: which of them it is not, is told to nobody. */
function isOwn(family: FamilyRow, shown: ShownRefreshToken): boolean {
  if (family.client_id !== shown.client_id) return false
  return equalBytes(shown.secret, generationSecret(new Uint8Array(family.seed), shown.generation))
}

/** Active is what `/oauth/token` would take now, asked without taking it, and its scope and audiences are what it would give. */
export function describeRefreshToken(stores: EndStores, shown: AskedRefreshToken, now: number): RefreshTokenFacts {
  const held = stores.families.held(shown.grant_id)
  if (!held || !isOwn(held.row, shown)) return { active: false }
  const { row: family, account } = held
  if (!account || account.banned_at !== null || now >= familyEnd(family)) return { active: false }
  const offline = family.offline && shown.allowed.scopes.includes('offline_access')
  const session = offline ? null : held.session
  if (!offline && (!session || now >= sessionEnd(session))) return { active: false }
  const { zone } = decideRotation(family, shown.generation, true, now)
  if (zone === 'C' || zone === 'unknown') return { active: false }
  const scope = stillAllowed(family.scope, shown.allowed)
  const aud = family.aud.split(' ').filter((each) => shown.allowed.audiences.includes(each))
  if (scope === null || aud.length === 0) return { active: false }
  const exp = Math.min(familyEnd(family), session ? sessionEnd(session) : Number.POSITIVE_INFINITY)
  const { created_at, jkt } = family
  return { active: true, sub: account.sub, scope, aud, iat: created_at, exp, jkt }
}

/** Any generation of the client's own family ends it, living or dead (RFC 7009, 2.1); another's changes nothing. */
export function revokeRefreshToken(stores: Pick<EndStores, 'families' | 'outbox'>, shown: ShownRefreshToken, now: number): boolean {
  const family = stores.families.get(shown.grant_id)
  if (!family || !isOwn(family, shown)) return false
  endFamily(stores, family.grant_id, now)
  return true
}
