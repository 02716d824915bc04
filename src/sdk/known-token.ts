// A token whose signature and claims were verified here, with what makes its denial check cheap the next time.

import type { AccessTokenClaims } from '../protocol/claims.ts'
import { DENIAL_KIND_CODES } from '../protocol/denial.ts'
import { type SipHashKey, sipHashText } from '../protocol/siphash.ts'
import type { VerificationKey } from './verify-signature.ts'

/** A verified token. `prints` and `printsKey` belong to `fingerprint`, `cleanAt` to the denial view. */
export type KnownToken = {
  readonly claims: AccessTokenClaims
  readonly key: VerificationKey
  /** Two words for each id of the token: jti, client_id, kid, sub, sid, grant_id. */
  readonly prints: Uint32Array
  printsKey: SipHashKey | null
  /** The revision of the denial view that last found nothing against this token. */
  cleanAt: number
}

/** Where each id's prefix begins in `prints`. */
export const PRINT = { jti: 0, client_id: 2, kid: 4, sub: 6, sid: 8, grant_id: 10 } as const

const kinds = ['jti', 'client_id', 'kid', 'sub', 'sid', 'grant_id'] as const

/** A token that has just been verified. */
export const knownToken = (claims: AccessTokenClaims, key: VerificationKey): KnownToken => ({
  claims,
  key,
  prints: new Uint32Array(12),
  printsKey: null,
  cleanAt: -1,
})

/** The prefixes of the token's ids under a view's key; worked out once for each key. */
export function fingerprint(token: KnownToken, key: SipHashKey): Uint32Array {
  const { claims, prints } = token
  if (token.printsKey === key) return prints
  for (const kind of kinds) {
    const id = kind === 'kid' ? token.key.kid : claims[kind]
    if (id !== undefined) sipHashText(key, DENIAL_KIND_CODES[kind], id, prints, PRINT[kind])
  }
  token.printsKey = key
  return prints
}
