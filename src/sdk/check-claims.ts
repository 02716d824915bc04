// The one schema of access token claims, total over any JSON object (RFC 9068 2.2 and 4, RFC 7519 4.1).

import type { AccessTokenClaims } from '../protocol/claims.ts'

/** What a verifier asks of the claims. `clockTolerance` and `maxLifetime` are seconds. */
export type ClaimRules = { issuer: string; audiences: readonly string[]; clockTolerance: number; maxLifetime: number }

export type ClaimsCheck = { ok: true; claims: AccessTokenClaims } | { ok: false; error: 'token_invalid' | 'token_expired'; reason: string }

const MAX_LIST = 64
const MAX_VER = 0xffff_ffff

/**
 * The claims, when they are well formed and hold here at `now` (seconds since 1970); else `reason` names the claim that does not. Unknown
 * claims are left out; what is answered is frozen, because a remembered token is given to many requests.
 */
export function checkClaims(payload: Record<string, unknown>, rules: ClaimRules, now: number): ClaimsCheck {
  const claims = Object.fromEntries(shapes.flatMap(([name]) => (payload[name] === undefined ? [] : [[name, payload[name]]])))
  // Never issued by us; one that says "not yet" must not pass unread.
  const { nbf } = payload
  if (!isWellFormed(claims)) return refuse(`malformed ${malformedIn(claims)}`)
  const { iss, aud, exp, iat } = claims
  if (nbf !== undefined && (!isTime(nbf) || nbf > iat)) return refuse('nbf')
  if (iss !== rules.issuer) return refuse('iss')
  if (!rules.audiences.includes(aud)) return refuse('aud')
  // Only someone who holds a signing key could make one, and would choose a far `exp`: no denial is kept that long.
  if (exp - iat < 1 || exp - iat > rules.maxLifetime) return refuse('exp - iat')
  if (iat > now + rules.clockTolerance) return refuse('iat')
  if (exp <= now - rules.clockTolerance) return { ok: false, error: 'token_expired', reason: 'exp' }
  for (const value of Object.values(claims)) Object.freeze(value)
  for (let { act } = claims; act; act = act.act) Object.freeze(act)
  return { ok: true, claims: Object.freeze(claims) }
}

const isText = (value: unknown, max = 256): value is string => typeof value === 'string' && value !== '' && value.length <= max
const isAddress = (value: unknown): boolean => isText(value, 2048)
const isScope = (value: unknown): boolean => value === '' || isText(value, 1024)
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isVer = (value: unknown): boolean => isTime(value) && value <= MAX_VER
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length <= MAX_LIST && value.every((item) => isText(item))
const isObject = (value: unknown): value is { jkt?: unknown; sub?: unknown; act?: unknown } => typeof value === 'object' && value !== null
const hasThumbprint = (value: unknown): boolean => isObject(value) && isText(value.jkt)
const isActor = (value: unknown): boolean => isObject(value) && isText(value.sub) && maybe(isActor)(value.act)

const maybe = (fits: (value: unknown) => boolean) => (value: unknown) => value === undefined || fits(value)

/** Each claim, and what it may be. */
const claimShapes: Record<keyof AccessTokenClaims, (value: unknown) => boolean> = {
  iss: isAddress,
  sub: isText,
  aud: isAddress,
  exp: isTime,
  iat: isTime,
  jti: isText,
  client_id: isText,
  scope: isScope,
  ver: isVer,
  sid: maybe(isText),
  acr: maybe(isText),
  grant_id: maybe(isText),
  amr: maybe(isTexts),
  roles: maybe(isTexts),
  auth_time: maybe(isTime),
  cnf: maybe(hasThumbprint),
  act: maybe(isActor),
}
const shapes = Object.entries(claimShapes)

/** The first claim that is absent or of another shape. */
const malformedIn = (claims: Record<string, unknown>): string | undefined => shapes.find(([name, fits]) => !fits(claims[name]))?.[0]

const isWellFormed = (claims: Record<string, unknown>): claims is AccessTokenClaims => malformedIn(claims) === undefined

const refuse = (reason: string): ClaimsCheck => ({ ok: false, error: 'token_invalid', reason })
