import type { AccountRow } from '../accounts/account.ts'
import { echoNotice, reuseDetectedNotice } from '../accounts/notices.ts'
import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { includesScope } from '../protocol/scope.ts'
import { denyGrant } from '../revocation/denials.ts'
import { randomId } from '../tokens/random-id.ts'
import { type Allowed, stillAllowed } from './allowed.ts'
import { type EndStores, endSession } from './end.ts'
import { generationSecret } from './generation-secret.ts'
import { equalBytes } from './prove.ts'
import { countEcho, type Decision, decideRotation } from './rotation.ts'
import { type Authentication, type FamilyRow, familyEnd, grantToken, type SessionRow, sessionEnd, type TokenGrant } from './session.ts'
import { type Generation, newestOf } from './start.ts'

/** A refresh token whose MAC is right, and who presents it. `secret_id`: the secret that a new generation will be sealed with. */
export type Presented = {
  grant_id: string
  generation: number
  secret: Uint8Array
  client_id: string
  secret_id: string
  /** Keyed digest of the presenter's network (/24 or /64); compared, never shown. */
  network: string
  allowed: Allowed
  /** What an OAuth client shows and asks beside the token. */
  by?: {
    /** It has authenticated. */
    confidential: boolean
    /** The key of its DPoP proof (RFC 9449). */
    jkt: string | null
    /** Narrower than the family's, or null for all of it. */
    scope: string | null
    /** One of the family's audiences, or null for the first. */
    resource: string | null
  }
}

export type Zone = 'current' | 'A' | 'B'

/** Why a refresh was refused; for the log. Every one is `invalid_grant` to the caller. */
export type RefreshRefusal =
  | 'unknown_family'
  | 'wrong_secret'
  | 'other_client'
  | 'other_key'
  | 'closed'
  | 'unknown_generation'
  | 'reuse'
  | 'wider_scope'
  | 'other_target'
  | 'scope_taken_back'
  | 'target_taken_back'

export type Refreshed =
  | {
      ok: true
      zone: Zone
      sid: string
      refresh: Generation
      token: TokenGrant
      /** How the person signed in, for the ID token. */
      authentication: Authentication
      profile: { email: string; name: string | null }
    }
  | { ok: false; error: 'invalid_grant' | 'invalid_scope' | 'invalid_target'; reason: RefreshRefusal }

const refuse = (
  reason: RefreshRefusal,
  error: 'invalid_grant' | 'invalid_scope' | 'invalid_target' = 'invalid_grant',
): Extract<Refreshed, { ok: false }> => ({ ok: false, error, reason })

/**
 * One presentation of a refresh token, inside the transaction that decides it. A mismatch changes nothing and raises no alarm: whoever
 * cannot use a family must not be able to end it.
 */
export function refresh(stores: EndStores, presented: Presented, now: number): Refreshed {
  const held = stores.families.held(presented.grant_id)
  if (!held) return refuse('unknown_family')
  const { row: family, account, session } = held
  if (!equalBytes(presented.secret, generationSecret(new Uint8Array(family.seed), presented.generation))) return refuse('wrong_secret')
  if (family.client_id !== presented.client_id) return refuse('other_client')
  const living = session !== null && now < sessionEnd(session)
  if (!account || account.banned_at !== null || now >= familyEnd(family) || !(living || family.offline)) return refuse('closed')
  // After that: whoever is told that less is allowed waits for more, and what has ended stays so.
  const ask = askOf(family, presented)
  if (!ask.ok) return ask
  if (!living && !presented.allowed.scopes.includes('offline_access')) return refuse('scope_taken_back', 'invalid_scope')
  const bound = presented.by?.confidential === true || family.jkt !== null
  const decision = decideRotation(family, presented.generation, bound, now)
  if (decision.zone === 'unknown') return refuse('unknown_generation')
  if (decision.zone === 'C') {
    endReused(stores, family, now)
    stores.outbox.add({ target: 'mail', body: reuseDetectedNotice(account.email) }, now)
    return refuse('reuse')
  }
  const settled = settle(stores, account, family, presented, decision, now)
  const token = grantFamilyToken(account, living ? session : null, settled, ask, now)
  return {
    ok: true,
    zone: decision.zone,
    sid: family.sid,
    refresh: newestOf(settled),
    token,
    authentication: authenticationOf(settled, session),
    profile: { email: account.email, name: account.name },
  }
}

type Ask = { ok: true; aud: string; scope: string; jkt: string | null }

/**
 * What is asked of the family, out of what was granted and is still allowed. What the operator has taken back is left out while something
 * remains; the family keeps its own scope and audiences, so that nothing is lost when they are given again.
 */
function askOf(family: FamilyRow, { allowed, by }: Presented): Ask | Extract<Refreshed, { ok: false }> {
  const { jkt, scope, resource } = by ?? { jkt: null, scope: null, resource: null }
  if (family.jkt !== null && family.jkt !== jkt) return refuse('other_key')
  if (scope !== null && !includesScope(family.scope, scope)) return refuse('wider_scope', 'invalid_scope')
  const auds = family.aud.split(' ')
  const aud = resource ?? auds[0] ?? ''
  if (!auds.includes(aud)) return refuse('other_target', 'invalid_target')
  if (!allowed.audiences.includes(aud)) return refuse('target_taken_back', 'invalid_target')
  const left = stillAllowed(scope ?? family.scope, allowed)
  return left === null ? refuse('scope_taken_back', 'invalid_scope') : { ok: true, aud, scope: left, jkt }
}

/** Reuse ends an OAuth client's family, that one only; a first-party family ends with its session. */
function endReused(stores: EndStores, family: FamilyRow, now: number): void {
  if (family.client_id === FIRST_PARTY_CLIENT_ID) endSession(stores, family.sid, now)
  else endFamily(stores, family.grant_id, now)
}

/** Ends one family and denies its access tokens. Ending it again changes nothing. */
export function endFamily(stores: Pick<EndStores, 'families' | 'outbox'>, grant_id: string, now: number): void {
  const family = stores.families.get(grant_id)
  if (!family || family.ended_at !== null) return
  stores.families.end(grant_id, now)
  stores.outbox.add({ target: 'denial', body: denyGrant(grant_id, now) }, now)
}

const authenticationOf = (family: FamilyRow, session: SessionRow | null): Authentication => ({
  auth_time: family.auth_time ?? session?.auth_time ?? 0,
  acr: family.acr ?? session?.acr ?? '',
  amr: family.amr ?? session?.amr ?? [],
})

/**
 * What the access token of a family says. It names its session while that lives, so that a sign-out ends it in seconds though the
 * family may live on; a token made after that names the grant alone.
 */
export function grantFamilyToken(
  account: AccountRow,
  session: SessionRow | null,
  family: FamilyRow,
  ask: { aud: string; scope: string; jkt: string | null },
  now: number,
): TokenGrant {
  const { client_id, grant_id } = family
  const end = Math.min(familyEnd(family), session ? sessionEnd(session) : Number.POSITIVE_INFINITY)
  const facts = { sid: family.sid, ...authenticationOf(family, session) }
  const token = grantToken(account, facts, { jti: randomId(), aud: ask.aud, scope: ask.scope, client_id, end }, now)
  if (client_id === FIRST_PARTY_CLIENT_ID) return token
  const { sid, roles, ...rest } = token
  return {
    ...rest,
    ...(session && sid !== undefined ? { sid } : {}),
    ...(includesScope(ask.scope, 'roles') && roles ? { roles } : {}),
    grant_id,
    ...(ask.jkt === null ? {} : { cnf: { jkt: ask.jkt } }),
  }
}

/** Writes what the decision changes (one row for a rotation, none for a replay) and answers the family as it now is. */
function settle(
  stores: EndStores,
  account: AccountRow,
  family: FamilyRow,
  presented: Presented,
  decision: Extract<Decision, { zone: Zone }>,
  now: number,
): FamilyRow {
  if (decision.zone === 'current') {
    const made = { secret_id: presented.secret_id, rotated_at: now, network: presented.network }
    stores.families.rotate(family.grant_id, decision.lineage, made)
    return { ...family, ...decision.lineage, ...made }
  }
  if (decision.zone === 'B') {
    if (decision.lineage) stores.families.recover(family.grant_id, decision.lineage.recovered)
    return family
  }
  const echo = presented.network === family.network ? null : countEcho(family, presented.generation)
  if (echo) {
    stores.families.echo(family.grant_id, echo.echoed, echo.echoes)
    if (echo.tell) stores.outbox.add({ target: 'mail', body: echoNotice(account.email) }, now)
  }
  return family
}
