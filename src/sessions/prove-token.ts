import type { AccountRow } from '../accounts/account.ts'
import type { AccountStore } from '../accounts/account-store.ts'
import { type AccessTokenClaims, FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import type { RevokedTokenStore } from '../tokens/revoked-token-store.ts'
import type { FamilyStore } from './family-store.ts'
import { familyEnd, sessionEnd } from './session.ts'
import type { SessionStore } from './session-store.ts'

/** What an access token, its signature checked, names of its owner's: of a session, of a grant, or of both. */
export type TokenIds = { jti: string; client_id: string; ver: number; sid?: string; grant_id?: string }

export type ProvenToken = { ok: true; account: AccountRow } | { ok: false; error: 'revoked' | 'outdated' }

export type TokenStores = { accounts: AccountStore; sessions: SessionStore; families: FamilyStore; revokedTokens: RevokedTokenStore }

/** The ids that a token's claims hold. */
export const idsOf = ({ jti, client_id, ver, sid, grant_id }: AccessTokenClaims): TokenIds => ({
  ...{ jti, client_id, ver },
  ...(sid === undefined ? {} : { sid }),
  ...(grant_id === undefined ? {} : { grant_id }),
})

/** The `live` answer about an access token: everything that it hangs on must live. One that is only outdated can be refreshed. */
export function proveToken(stores: TokenStores, { jti, client_id, ver, sid, grant_id }: TokenIds, now: number): ProvenToken {
  const account = stores.accounts.get()
  if (!account || account.banned_at !== null || (sid === undefined && grant_id === undefined)) return { ok: false, error: 'revoked' }
  const session = sid === undefined ? null : stores.sessions.get(sid)
  if (sid !== undefined && (!session || now >= sessionEnd(session))) return { ok: false, error: 'revoked' }
  if (grant_id !== undefined) {
    const family = stores.families.get(grant_id)
    if (!family || now >= familyEnd(family)) return { ok: false, error: 'revoked' }
  }
  // Only tokens of OAuth clients are revoked one by one.
  if (client_id !== FIRST_PARTY_CLIENT_ID && stores.revokedTokens.has(jti)) return { ok: false, error: 'revoked' }
  return ver >= account.ver ? { ok: true, account } : { ok: false, error: 'outdated' }
}
