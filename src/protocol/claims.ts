// What an access token says, and the lengths of time that issuer and verifiers must agree on. RFC 9068, RFC 7519.

/** The JOSE `typ` of an access token, exactly these bytes (RFC 9068 2.1). */
export const ACCESS_TOKEN_TYP = 'at+jwt'

/** The longest life of an access token, in seconds: `exp - iat` is never more. */
export const ACCESS_TOKEN_LIFETIME = 300

/** Seconds by which clocks may differ: the most a verifier tolerates, and how long past `exp` a denial is kept. */
export const CLOCK_SKEW = 10

/** The `client_id` of the deployment's own apps. */
export const FIRST_PARTY_CLIENT_ID = 'first-party'

/** The `client_id` of the command `sallyport`. */
export const CLI_CLIENT_ID = 'sallyport-cli'

/** Seconds after which a verifier forgets a key set that it could not fetch again; a denied `kid` stays denied as long. */
export const JWKS_HARD_AGE = 3600

export type Actor = { sub: string; act?: Actor }

/** The claims of an access token (RFC 9068 2.2). Times are integer seconds since 1970; `scope` may be empty. */
export type AccessTokenClaims = {
  iss: string
  sub: string
  aud: string
  exp: number
  iat: number
  jti: string
  client_id: string
  scope: string
  /** The account's version when the token was made; a `sub` denial names the lowest one still accepted. */
  ver: number
  sid?: string
  auth_time?: number
  acr?: string
  amr?: string[]
  roles?: string[]
  /** The refresh-token family that the token came from. */
  grant_id?: string
  /** Who acts for `sub` (RFC 8693 4.1), the latest first. */
  act?: Actor
  /** A DPoP-bound token (RFC 9449 6.1): refused when presented as a plain bearer token. */
  cnf?: { jkt: string }
}
