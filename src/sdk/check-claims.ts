// The one schema of access token claims, total over any JSON object (RFC 9068 2.2 and 4, RFC 7519 4.1).

import type { AccessTokenClaims } from '../protocol/claims.ts'

/** What a verifier asks of the claims. `clockTolerance` and `maxLifetime` are seconds. */
export type ClaimRules = { issuer: string; audiences: readonly string[]; clockTolerance: number; maxLifetime: number }

export type ClaimsCheck = { ok: true; claims: AccessTokenClaims } | { ok: false; error: 'token_invalid' | 'token_expired'; reason: string }

const MAX_TEXT = 256
const MAX_SCOPE = 1024
const MAX_ADDRESS = 2048
const MAX_LIST = 64
const MAX_VER = 0xffff_ffff

const optionalTexts = ['sid', 'acr', 'grant_id'] as const
const optionalLists = ['amr', 'roles'] as const

/**
 * The claims, when they are well formed and hold here at `now` (seconds since 1970). Unknown claims are left out; what is answered is
 * frozen, because a remembered token is given to many requests.
 */
export function checkClaims(payload: Record<string, unknown>, rules: ClaimRules, now: number): ClaimsCheck {
  const claims = readClaims(payload)
  if (typeof claims === 'string') return refuse(`malformed claim: ${claims}`)
  if (claims.iss !== rules.issuer) return refuse('another issuer')
  if (!rules.audiences.includes(claims.aud)) return refuse('another audience')
  // Only someone who holds a signing key could make one, and would choose a far `exp`: no denial is kept that long.
  if (claims.exp - claims.iat < 1 || claims.exp - claims.iat > rules.maxLifetime) return refuse('a lifetime that is never issued')
  if (claims.iat > now + rules.clockTolerance) return refuse('issued in the future')
  if (claims.cnf !== undefined) return refuse('a bound token presented as a bearer token')
  if (claims.exp <= now - rules.clockTolerance) return { ok: false, error: 'token_expired', reason: 'expired' }
  return { ok: true, claims: Object.freeze(claims) }
}

/** The known claims, typed; the name of the first one that is malformed. */
function readClaims(payload: Record<string, unknown>): AccessTokenClaims | string {
  const { iss, sub, aud, exp, iat, nbf, jti, client_id, scope, ver, auth_time, cnf } = payload
  if (!isText(iss, MAX_ADDRESS)) return 'iss'
  if (!isText(sub)) return 'sub'
  if (!isText(aud, MAX_ADDRESS)) return 'aud'
  if (!isTime(exp)) return 'exp'
  if (!isTime(iat)) return 'iat'
  // Never issued by us; one that says "not yet" must not pass unread.
  if (nbf !== undefined && (!isTime(nbf) || nbf > iat)) return 'nbf'
  if (!isText(jti)) return 'jti'
  if (!isText(client_id)) return 'client_id'
  if (scope !== '' && !isText(scope, MAX_SCOPE)) return 'scope'
  if (!isTime(ver) || ver > MAX_VER) return 'ver'
  const claims: AccessTokenClaims = { iss, sub, aud, exp, iat, jti, client_id, scope, ver }
  for (const name of optionalTexts) {
    const value = payload[name]
    if (value === undefined) continue
    if (!isText(value)) return name
    claims[name] = value
  }
  for (const name of optionalLists) {
    const value = payload[name]
    if (value === undefined) continue
    if (!isTextList(value)) return name
    Object.freeze(value)
    claims[name] = value
  }
  if (auth_time !== undefined) {
    if (!isTime(auth_time)) return 'auth_time'
    claims.auth_time = auth_time
  }
  if (cnf !== undefined) {
    if (!hasThumbprint(cnf)) return 'cnf'
    claims.cnf = { jkt: cnf.jkt }
  }
  return claims
}

const isText = (value: unknown, max = MAX_TEXT): value is string => typeof value === 'string' && value !== '' && value.length <= max

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MAX_LIST && value.every((item) => isText(item))

const hasThumbprint = (value: unknown): value is { jkt: string } =>
  typeof value === 'object' && value !== null && 'jkt' in value && isText(value.jkt)

const refuse = (reason: string): ClaimsCheck => ({ ok: false, error: 'token_invalid', reason })
