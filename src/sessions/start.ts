import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { randomId } from '../tokens/random-id.ts'
import { newFamily } from './family.ts'
import type { FamilyStore } from './family-store.ts'
import { generationSecret } from './generation-secret.ts'
import { hashSecret } from './prove.ts'
import {
  COOKIE_IDLE_SECONDS,
  COOKIE_LIFETIME_SECONDS,
  FAMILY_LIFETIME_SECONDS,
  type FamilyRow,
  factsOf,
  familyEnd,
  grantToken,
  type SessionFacts,
  type SessionRow,
  sessionEnd,
  type TokenGrant,
} from './session.ts'
import type { SessionStore } from './session-store.ts'

/** How the new session will be carried. `secret_id`: the secret that the Worker will seal the refresh token with. */
export type Carry = { use: 'cookie' } | { use: 'tokens'; aud: string; scope: string; secret_id: string; network: string }

/** The newest generation of a family, enough to seal its token. */
export type Generation = { grant_id: string; generation: number; secret: Uint8Array; secret_id: string }

export type StartedSession =
  | { use: 'cookie'; session: SessionFacts; secret: Uint8Array }
  | { use: 'tokens'; session: SessionFacts; token: TokenGrant; refresh: Generation }

export type SignInFacts = { acr: string; amr: string[]; user_agent: string }

export const newestOf = (family: FamilyRow): Generation => ({
  grant_id: family.grant_id,
  generation: family.generation,
  secret: generationSecret(new Uint8Array(family.seed), family.generation),
  secret_id: family.secret_id,
})

/** A new session, always with a new id: nothing that existed before a sign-in is carried over it (session fixation). */
export function startSession(
  stores: { sessions: SessionStore; families: FamilyStore },
  account: { sub: string; ver: number; roles: string[] },
  facts: SignInFacts,
  carry: Carry,
  now: number,
): StartedSession {
  const cookie = carry.use === 'cookie'
  const secret = crypto.getRandomValues(new Uint8Array(16))
  const lifetime = cookie ? COOKIE_LIFETIME_SECONDS : FAMILY_LIFETIME_SECONDS
  const session: SessionRow = {
    sid: randomId(),
    secret_hash: cookie ? hashSecret(secret) : null,
    auth_time: now,
    ...facts,
    created_at: now,
    seen_at: now,
    // A session in a token family idles with its family, whose row is written at each rotation anyway.
    idle_seconds: cookie ? COOKIE_IDLE_SECONDS : lifetime,
    expires_at: now + lifetime,
    ended_at: null,
    successor: null,
  }
  stores.sessions.insert(session)
  if (carry.use === 'cookie') return { use: 'cookie', session: factsOf(session), secret }
  const { scope, aud, secret_id, network } = carry
  const { sid, expires_at } = session
  const family = newFamily({ sid, client_id: FIRST_PARTY_CLIENT_ID, scope, aud, secret_id, network, expires_at }, now)
  stores.families.insert(family)
  const ask = {
    jti: randomId(),
    aud: family.aud,
    scope: family.scope,
    client_id: family.client_id,
    end: Math.min(sessionEnd(session), familyEnd(family)),
  }
  return { use: 'tokens', session: factsOf(session), token: grantToken(account, session, ask, now), refresh: newestOf(family) }
}
