/**
 * Sessions: one sign-in on one device. This room owns their limits, the refresh-token families that hang on them, and what an access
 * token says about them. Rules are pure; rows come in, outcomes go out.
 */
import type { AccountRow } from '../accounts/account.ts'
import { ACCESS_TOKEN_LIFETIME, type AccessTokenClaims } from '../protocol/claims.ts'
import type { Lineage } from './rotation.ts'

/** A cookie session unused this long is over. NIST SP 800-63B-4, 2.1.3: AAL1 needs an overall limit of at most 30 days. */
export const COOKIE_IDLE_SECONDS = 7 * 86_400
export const COOKIE_LIFETIME_SECONDS = 30 * 86_400
/** `seen_at` is written at most this often: sliding must not cost a row on every request. */
export const TOUCH_SECONDS = 600
/** A family whose newest generation is unused this long is over; and however used, after its lifetime. */
export const FAMILY_IDLE_SECONDS = 30 * 86_400
export const FAMILY_LIFETIME_SECONDS = 90 * 86_400
/** Ended rows are kept so long, so that a late sign-out or a late token still gets its plain answer. */
export const KEEP_ENDED_SECONDS = 86_400

export type SessionRow = {
  sid: string
  secret_hash: ArrayBuffer | null
  auth_time: number
  acr: string
  amr: string[]
  user_agent: string
  created_at: number
  seen_at: number
  idle_seconds: number
  expires_at: number
  ended_at: number | null
  /** The session of the same browser that took its place: it lives on for the apps that hang on it, and ends with that one. */
  successor: string | null
}

/** All that decides whether the access tokens of a session are good. */
export type Standing = { ver: number; ends_at: number }

export type FamilyRow = Lineage & {
  grant_id: string
  sid: string
  client_id: string
  scope: string
  aud: string
  seed: ArrayBuffer
  secret_id: string
  rotated_at: number
  network: string
  echoed: number | null
  echoes: number
  created_at: number
  expires_at: number
  ended_at: number | null
  /** How the person had signed in, for a family that may outlive its session; null: the session says it. */
  auth_time: number | null
  acr: string | null
  amr: string[] | null
  /** RFC 7638: the key that a public client's refresh tokens are bound to. */
  jkt: string | null
  /** `offline_access`: lives on when its session has ended. */
  offline: boolean
  /** Where its client is told that the session has ended (OpenID Connect Back-Channel Logout). */
  logout_uri: string | null
}

/** How somebody signed in: what tokens say of it. */
export type Authentication = { auth_time: number; acr: string; amr: string[] }

/** What has been ended stays so: compared with no clock, for an object may move to a machine whose clock is behind. */
const ENDED = 0

/** Until when a session lives if nothing more happens to it; checked when read, so a late sweep never extends a life. */
export function sessionEnd(session: SessionRow): number {
  return session.ended_at !== null ? ENDED : Math.min(session.expires_at, session.seen_at + session.idle_seconds)
}

/** The same for a session of an account; `SessionStore.standing` works it out in SQL. */
export const standingOf = ({ ver, banned_at }: AccountRow, session: SessionRow): Standing => ({
  ver,
  ends_at: banned_at === null ? sessionEnd(session) : ENDED,
})

/** Until when a family lives if it is not rotated again. Replays do not move it. */
export function familyEnd(family: FamilyRow): number {
  return family.ended_at !== null ? ENDED : Math.min(family.expires_at, family.rotated_at + FAMILY_IDLE_SECONDS)
}

/** What may be told of a session: never its secret's hash. `expires_at` is when it ends if nothing more happens to it. */
export type SessionFacts = { sid: string; auth_time: number; acr: string; amr: string[]; created_at: number; expires_at: number }

export const factsOf = (session: SessionRow): SessionFacts => ({
  sid: session.sid,
  auth_time: session.auth_time,
  acr: session.acr,
  amr: session.amr,
  created_at: session.created_at,
  expires_at: sessionEnd(session),
})

/** Everything in an access token but the issuer, which the signer adds. Fixed inside the transaction that allowed it. */
export type TokenGrant = Omit<AccessTokenClaims, 'iss'>

/**
 * What the access token of a living session says: at most 5 minutes, and never past the session's (or the family's) own end, so that a
 * token made beside a logout cannot outlive its denial.
 */
export function grantToken(
  account: { sub: string; ver: number; roles: string[] },
  session: Authentication & { sid: string },
  ask: { jti: string; aud: string; scope: string; client_id: string; end: number },
  now: number,
): TokenGrant {
  return {
    sub: account.sub,
    aud: ask.aud,
    exp: Math.min(now + ACCESS_TOKEN_LIFETIME, ask.end),
    iat: now,
    jti: ask.jti,
    client_id: ask.client_id,
    scope: ask.scope,
    sid: session.sid,
    ver: account.ver,
    auth_time: session.auth_time,
    acr: session.acr,
    amr: session.amr,
    roles: account.roles,
  }
}
