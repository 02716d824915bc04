/**
 * What happens to an account as a whole: it is made, banned, given roles, ended everywhere. Each function runs inside one transaction of
 * the Account object; whoever must hear of it (the revocation list, the person) is told by an outbox row of the same transaction.
 */
import { denyBelowVersion } from '../revocation/denials.ts'
import type { OutboxStore } from '../revocation/outbox-store.ts'
import { tellClients } from '../sessions/end.ts'
import type { FamilyStore } from '../sessions/family-store.ts'
import type { SessionStore } from '../sessions/session-store.ts'
import type { AccountRow } from './account.ts'
import type { AccountStore } from './account-store.ts'

export type LifecycleStores = {
  accounts: AccountStore
  sessions: SessionStore
  families: FamilyStore
  outbox: OutboxStore
  codes: { dropPending(): void }
}

/** Outdates every access token issued so far: one entry in the list, however many tokens. Answers the changed row. */
export function raiseVersion(stores: Pick<LifecycleStores, 'accounts' | 'outbox'>, account: AccountRow, now: number): AccountRow {
  const raised = { ...account, ver: account.ver + 1 }
  stores.accounts.update(raised)
  stores.outbox.add({ target: 'denial', body: denyBelowVersion(account.sub, raised.ver, now) }, now)
  return raised
}

/** Ends every session and family, but those of `keptSid`, outdates every access token, and drops codes (a device has one for minutes). */
export function endEverything(stores: LifecycleStores, account: AccountRow, keptSid: string | null, now: number): AccountRow {
  const ended = stores.sessions.open().filter(({ sid }) => sid !== keptSid)
  stores.sessions.endAllBut(keptSid, now)
  stores.families.endAllBut(keptSid, now)
  stores.codes.dropPending()
  tellClients(
    stores,
    ended.map(({ sid }) => sid),
    now,
  )
  return raiseVersion(stores, account, now)
}

/** Banned: nothing of it lives on, and signing in answers as a wrong password does. A second ban changes nothing. */
export function ban(stores: LifecycleStores, account: AccountRow, now: number): void {
  if (account.banned_at === null) endEverything(stores, { ...account, banned_at: now }, null, now)
}

export function unban(stores: LifecycleStores, account: AccountRow): void {
  if (account.banned_at !== null) stores.accounts.update({ ...account, banned_at: null })
}

/** Sessions live on; access tokens with the old roles are outdated. The same roles in another order change nothing. */
export function setRoles(stores: LifecycleStores, account: AccountRow, roles: readonly string[], now: number): void {
  const next = [...new Set(roles)].sort()
  if (JSON.stringify(next) !== JSON.stringify([...account.roles].sort())) raiseVersion(stores, { ...account, roles: next }, now)
}
