/**
 * The account's half of an authorization (RFC 6749, 4.1; OpenID Connect Core, 3.1.2): whether this session may give this client a code,
 * decided and written in one transaction.
 */
import type { AccountStore } from '../accounts/account-store.ts'
import { proveSession, type SessionProof } from '../sessions/prove.ts'
import type { SessionStore } from '../sessions/session-store.ts'
import { randomId } from '../tokens/random-id.ts'
import type { CodeStore } from './code-store.ts'
import type { ConsentStore } from './consent-store.ts'

/** Seconds in which a code must be redeemed (RFC 9700: short). */
export const CODE_SECONDS = 60

export type AuthorizeStores = { accounts: AccountStore; sessions: SessionStore; codes: CodeStore; consents: ConsentStore }

export type AuthorizationAsk = {
  proof: SessionProof
  client_id: string
  /** Null: a device, which is told by its own polling. */
  redirect_uri: string | null
  scope: string
  /** Audiences of the access tokens, separated by a space; the first is the default. */
  aud: string
  code_challenge: string | null
  nonce: string | null
  jkt: string | null
  logout_uri: string | null
  /** Who it must be (`id_token_hint`), or anybody. */
  sub: string | null
  /** The person must have signed in for this very request; or within `max_age` seconds, null: whenever. */
  anew: boolean
  max_age: number | null
  /** When it was asked, in integer seconds, and the session (`sid`) that the browser had then. */
  started_at: number
  before: string | null
  /** `ask`: the person must be asked even if they have allowed it before. `given`: they just have. */
  consent: 'remembered' | 'ask' | 'given'
  expires_in: number
}

export type Authorized =
  | { ok: true; code: string; sid: string }
  | { ok: false; error: 'login_required'; reason: 'no_session' | 'other_account' | 'too_old' }
  | { ok: false; error: 'consent_required'; person: { email: string; name: string | null } }

const refuse = (reason: 'no_session' | 'other_account' | 'too_old'): Authorized => ({ ok: false, error: 'login_required', reason })

export function authorize(stores: AuthorizeStores, ask: AuthorizationAsk, now: number): Authorized {
  const proven = proveSession(stores, ask.proof, now)
  if (!proven.ok) return refuse('no_session')
  const { account, session } = proven
  if (ask.sub !== null && ask.sub !== account.sub) return refuse('other_account')
  const isNew = session.sid !== ask.before && session.auth_time >= ask.started_at
  if (ask.anew && !isNew) return refuse('too_old')
  // Whoever has signed in for this very request is young enough, however long they then read the page.
  if (ask.max_age !== null && now - session.auth_time > ask.max_age && !isNew) return refuse('too_old')
  const consent = { client_id: ask.client_id, redirect_uri: ask.redirect_uri ?? '', aud: ask.aud, scope: ask.scope }
  const allowed = ask.consent === 'remembered' && stores.consents.covers(consent)
  if (ask.consent === 'given') stores.consents.give(consent, now)
  else if (!allowed) return { ok: false, error: 'consent_required', person: { email: account.email, name: account.name } }
  const { client_id, redirect_uri, scope, aud, code_challenge, nonce, jkt, logout_uri } = ask
  const id = randomId()
  stores.codes.insert({
    ...{ id, client_id, redirect_uri, scope, aud, code_challenge, nonce, jkt, logout_uri },
    sid: session.sid,
    expires_at: now + ask.expires_in,
    consumed_by: null,
    grant_id: null,
  })
  return { ok: true, code: id, sid: session.sid }
}
