import type { AccountRow } from '../accounts/account.ts'
import type { AccountStore } from '../accounts/account-store.ts'
import { echoNotice, reuseDetectedNotice } from '../accounts/notices.ts'
import { randomId } from '../tokens/random-id.ts'
import { type EndStores, endSession } from './end.ts'
import { generationSecret } from './generation-secret.ts'
import { equalBytes } from './prove.ts'
import { countEcho, type Decision, decideRotation } from './rotation.ts'
import { type FamilyRow, familyEnd, grantToken, sessionEnd, type TokenGrant } from './session.ts'
import { type Generation, newestOf } from './start.ts'

export type RefreshStores = EndStores & { accounts: AccountStore }

/** A refresh token whose MAC is right, and who presents it. `secret_id`: the secret that a new generation will be sealed with. */
export type Presented = {
  grant_id: string
  generation: number
  secret: Uint8Array
  client_id: string
  secret_id: string
  /** Keyed digest of the presenter's network (/24 or /64); compared, never shown. */
  network: string
}

export type Zone = 'current' | 'A' | 'B'

/** Why a refresh was refused; for the log. Every one is `invalid_grant` to the caller. */
export type RefreshRefusal = 'unknown_family' | 'wrong_secret' | 'other_client' | 'closed' | 'unknown_generation' | 'reuse'

export type Refreshed =
  | { ok: true; zone: Zone; sid: string; refresh: Generation; token: TokenGrant }
  | { ok: false; error: 'invalid_grant'; reason: RefreshRefusal }

const refuse = (reason: RefreshRefusal): Refreshed => ({ ok: false, error: 'invalid_grant', reason })

/**
 * One presentation of a refresh token, inside the transaction that decides it. A mismatch changes nothing and raises no alarm: whoever
 * cannot use a family must not be able to end it.
 */
export function refresh(stores: RefreshStores, presented: Presented, now: number): Refreshed {
  const family = stores.families.get(presented.grant_id)
  if (!family) return refuse('unknown_family')
  if (!equalBytes(presented.secret, generationSecret(new Uint8Array(family.seed), presented.generation))) return refuse('wrong_secret')
  if (family.client_id !== presented.client_id) return refuse('other_client')
  const account = stores.accounts.get()
  const session = stores.sessions.get(family.sid)
  if (!account || account.banned_at !== null || !session || now >= familyEnd(family) || now >= sessionEnd(session)) return refuse('closed')
  const decision = decideRotation(family, presented.generation, false, now)
  if (decision.zone === 'unknown') return refuse('unknown_generation')
  if (decision.zone === 'C') {
    endSession(stores, family.sid, now)
    stores.outbox.add({ target: 'mail', body: reuseDetectedNotice(account.email) }, now)
    return refuse('reuse')
  }
  const living = settle(stores, account, family, presented, decision, now)
  const end = Math.min(sessionEnd(session), familyEnd(living))
  const ask = { jti: randomId(), aud: family.aud, scope: family.scope, client_id: family.client_id, end }
  return { ok: true, zone: decision.zone, sid: session.sid, refresh: newestOf(living), token: grantToken(account, session, ask, now) }
}

/** Writes what the decision changes (one row for a rotation, none for a replay) and answers the family as it now is. */
function settle(
  stores: RefreshStores,
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
