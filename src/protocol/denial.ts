// One entry of the revocation list: what is denied, and when it may be forgotten.

/** `not_after_iat` of a client that is disabled: every token of it is refused. */
export const EVERY_IAT = 0xffff_ffff

/**
 * What verifiers must refuse. `end` is the integer second after which no token that it concerns can be alive:
 * revocation + longest lifetime + clock skew. Denials of one kind and id merge by highest bound and latest `end`.
 */
export type Denial =
  | { kind: 'jti' | 'grant_id' | 'sid' | 'kid'; id: string; end: number }
  /** Tokens of the account `id` with a `ver` below this one are outdated. */
  | { kind: 'sub'; id: string; ver: number; end: number }
  /** Tokens of the client `id` with this `iat` or an earlier one are refused; `EVERY_IAT` = the client is disabled. */
  | { kind: 'client_id'; id: string; not_after_iat: number; end: number }

export type DenialKind = Denial['kind']

/** The byte that stands for each kind: on the wire and first in what is hashed. Never renumbered. */
export const DENIAL_KIND_CODES = { jti: 1, grant_id: 2, sid: 3, kid: 4, sub: 5, client_id: 6 } as const satisfies Record<DenialKind, number>

/** Whether denials of this kind code carry a bound (`ver`, `not_after_iat`). */
export const hasBound = (kindCode: number): boolean => kindCode === DENIAL_KIND_CODES.sub || kindCode === DENIAL_KIND_CODES.client_id

/** The bound of a denial: `ver`, `not_after_iat`, or 0 for kinds that have none. */
export function boundOf(denial: Denial): number {
  if (denial.kind === 'sub') return denial.ver
  if (denial.kind === 'client_id') return denial.not_after_iat
  return 0
}
