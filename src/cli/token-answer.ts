import type { HeldToken } from './credentials.ts'
import type { Answer } from './issuer.ts'

export type TokenAnswer = { held: HeldToken; refresh_token: string | null; scope: string }

/** What the token endpoint has given (RFC 6749, 5.1), or null when it is not that. `now` in seconds. */
export function readTokenAnswer({ status, body }: Answer, now: number): TokenAnswer | null {
  const { access_token, token_type, expires_in, refresh_token, scope } = body
  if (status !== 200 || typeof access_token !== 'string' || typeof expires_in !== 'number') return null
  if (typeof token_type !== 'string' || token_type.toLowerCase() !== 'bearer') return null
  return {
    held: { access_token, expires_at: now + expires_in },
    refresh_token: typeof refresh_token === 'string' ? refresh_token : null,
    scope: typeof scope === 'string' ? scope : '',
  }
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000)
