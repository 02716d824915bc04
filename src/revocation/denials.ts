import { CLIENT_CACHE_SECONDS } from '../clients/client.ts'
import { ACCESS_TOKEN_LIFETIME, CLOCK_SKEW, JWKS_HARD_AGE } from '../protocol/claims.ts'
import { type Denial, EVERY_IAT } from '../protocol/denial.ts'

/**
 * When nothing made at or before `now` can be alive any more: the longest lifetime from now, the skew of clocks, and as much again for a
 * verifier that tolerates it.
 */
export const denialEnd = (now: number): number => now + ACCESS_TOKEN_LIFETIME + 2 * CLOCK_SKEW

/** Every access token of one session. */
export const denySession = (sid: string, now: number): Denial => ({ kind: 'sid', id: sid, end: denialEnd(now) })

/** Every access token of one redeemed authorization. */
export const denyGrant = (grant_id: string, now: number): Denial => ({ kind: 'grant_id', id: grant_id, end: denialEnd(now) })

/** Every access token of an account issued before `ver` was reached, however many. */
export const denyBelowVersion = (sub: string, ver: number, now: number): Denial => ({ kind: 'sub', id: sub, ver, end: denialEnd(now) })

/**
 * Everything signed by a key. A thief of the key chooses `iat` and `exp`, so it stays denied until no verifier can still hold the key.
 * Twice the hard age: a verifier may have fetched the key set the moment before, and fetch errors do not shorten it.
 */
export const denyKey = (kid: string, now: number): Denial => ({ kind: 'kid', id: kid, end: denialEnd(now) + 2 * JWKS_HARD_AGE })

/** How long a request may go on with a client that it has just read, in seconds: past any time limit of ours. */
const REQUEST_SECONDS = 60

/** Every token of a client that was removed. It lasts past the tokens that readers give out who have not heard of it yet. */
export const denyClient = (client_id: string, now: number): Denial => ({
  kind: 'client_id',
  id: client_id,
  not_after_iat: EVERY_IAT,
  end: denialEnd(now) + CLIENT_CACHE_SECONDS + REQUEST_SECONDS,
})

/** One access token, until nobody can take it any more. `exp`: its own. */
export const denyToken = (jti: string, exp: number): Denial => ({ kind: 'jti', id: jti, end: exp + 2 * CLOCK_SKEW })
