/** The JOSE `typ` of a logout token (OpenID Connect Back-Channel Logout, 2.4). */
export const LOGOUT_TOKEN_TYP = 'logout+jwt'

/** Seconds: at most two minutes are recommended (2.4). */
export const LOGOUT_TOKEN_LIFETIME = 120

const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

export type LogoutTokenClaims = {
  iss: string
  sub: string
  aud: string
  iat: number
  exp: number
  jti: string
  events: { [LOGOUT_EVENT]: Record<string, never> }
  sid?: string
}

/**
 * The claims of a logout token (OpenID Connect Back-Channel Logout, 2.4): this session of this account has ended, or with `sid` null all of
 * them. There is no `nonce`, so that nobody takes it for an ID token. `now` in integer seconds. Sign it with `{ alg, typ: LOGOUT_TOKEN_TYP }`.
 */
export function logoutTokenClaims(facts: {
  issuer: string
  client_id: string
  sub: string
  sid: string | null
  jti: string
  now: number
}): LogoutTokenClaims {
  const { issuer, client_id, sub, sid, jti, now } = facts
  return {
    iss: issuer,
    sub,
    aud: client_id,
    iat: now,
    exp: now + LOGOUT_TOKEN_LIFETIME,
    jti,
    events: { [LOGOUT_EVENT]: {} },
    ...(sid === null ? {} : { sid }),
  }
}
