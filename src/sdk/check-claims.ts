// The one schema of access token claims, total over any JSON object (RFC 9068 2.2 and 4, RFC 7519 4.1).

import type { AccessTokenClaims } from '../protocol/claims.ts'
import { isText } from './strict-json.ts'

/** What a verifier asks of the claims. `clockTolerance` and `maxLifetime` are seconds. */
export type ClaimRules = { issuer: string; audiences: readonly string[]; clockTolerance: number; maxLifetime: number }

export type ClaimsCheck = { ok: true; claims: AccessTokenClaims } | { ok: false; error: 'token_invalid' | 'token_expired'; reason: string }

const MAX_LIST = 64
const MAX_VER = 0xffff_ffff

/**
 * The claims, when they are well formed and hold here at `now` (seconds since 1970); else `reason` names the claim that does not. The
 * payload becomes the answer: unknown claims leave it, and it is frozen, because a remembered token is given to many requests.
 */
export function checkClaims(payload: Record<string, unknown>, rules: ClaimRules, now: number): ClaimsCheck {
  const { nbf } = payload
  if (!isWellFormed(payload)) return refuse(`malformed ${malformedIn(payload)}`)
  const { iss, aud, exp, iat, amr, roles, act, cnf } = payload
  // Never issued by us; one that says "not yet" must not pass unread.
  if (nbf !== undefined && (!isTime(nbf) || nbf > iat)) return refuse('nbf')
  if (iss !== rules.issuer) return refuse('iss')
  if (!rules.audiences.includes(aud)) return refuse('aud')
  // Only someone who holds a signing key could make one, and would choose a far `exp`: no denial is kept that long.
  if (exp - iat < 1 || exp - iat > rules.maxLifetime) return refuse('exp - iat')
  if (iat > now + rules.clockTolerance) return refuse('iat')
  if (exp <= now - rules.clockTolerance) return { ok: false, error: 'token_expired', reason: 'exp' }
  for (const value of [amr, roles, cnf]) Object.freeze(value)
  for (let it = act; it; it = it.act) Object.freeze(it)
  return { ok: true, claims: Object.freeze(payload) }
}

const isScope = (value: unknown): boolean => value === '' || isText(value)
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
const isVer = (value: unknown): boolean => isTime(value) && value <= MAX_VER
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length <= MAX_LIST && value.every(isText)

const isBinding = (value: unknown): boolean => isText(Object(value).jkt)
/** Those before it, too: each is read by somebody. */
const isActor = (value: unknown): boolean => {
  const { sub, act } = Object(value)
  return isText(sub) && (act === undefined || isActor(act))
}

/** Each claim and what it may be. Every name of `AccessTokenClaims` is here. */
const required = {
  iss: isText,
  sub: isText,
  aud: isText,
  exp: isTime,
  iat: isTime,
  jti: isText,
  client_id: isText,
  scope: isScope,
  ver: isVer,
}
const optional = {
  sid: isText,
  acr: isText,
  grant_id: isText,
  amr: isTexts,
  roles: isTexts,
  auth_time: isTime,
  act: isActor,
  cnf: isBinding,
}
const shapes = Object.entries<(value: unknown) => boolean>({ ...required, ...optional })
/** No object's keys: `constructor` is in every object. */
const names = new Map(shapes)

/** Takes out what is no claim; answers the first claim that is of another shape, or absent. */
function malformedIn(payload: Record<string, unknown>): string | null {
  let claims = 0
  for (const [name, fits] of shapes) {
    const value = payload[name]
    if (value === undefined && name in optional) continue
    if (!fits(value)) return name
    claims++
  }
  const present = Object.keys(payload)
  if (present.length > claims) for (const name of present) if (!names.has(name)) delete payload[name]
  return null
}

const isWellFormed = (claims: Record<string, unknown>): claims is AccessTokenClaims => malformedIn(claims) === null

const refuse = (reason: string): ClaimsCheck => ({ ok: false, error: 'token_invalid', reason })
