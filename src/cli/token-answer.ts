import { isB64token } from '../protocol/bearer.ts'
import type { HeldToken } from './credentials.ts'
import type { Answer } from './issuer.ts'

export type TokenAnswer = { held: HeldToken; refresh_token: string | null; scope: string }

/** Longer than any, and in milliseconds still something that a timer takes. */
const MOST_SECONDS = 2_000_000

/** Seconds of a lifetime or a pace: what JSON cannot keep, or a timer, is none. */
export const isDuration = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= MOST_SECONDS

/**
 * What the token endpoint has given (RFC 6749, 5.1), or null when it is not that: a token is printed to terminals and put into headers, so
 * it has no character that would steer them. `now` in seconds.
 */
export function readTokenAnswer({ status, body }: Answer, now: number): TokenAnswer | null {
  const { access_token, token_type, expires_in, refresh_token, scope } = body
  if (status !== 200 || typeof access_token !== 'string' || !isB64token(access_token) || !isDuration(expires_in)) return null
  if (typeof token_type !== 'string' || token_type.toLowerCase() !== 'bearer') return null
  return {
    held: { access_token, expires_at: now + expires_in },
    refresh_token: typeof refresh_token === 'string' ? refresh_token : null,
    scope: typeof scope === 'string' ? scope : '',
  }
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
