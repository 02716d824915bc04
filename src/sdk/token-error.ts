// Why a request was refused, in the closed set of codes that callers may rely on, and as the HTTP answer that says so.

import { type BearerChallenge, bearerChallenge } from '../protocol/bearer.ts'

/** How each code appears on the wire: its status, what it says to people, and the `error` and `error_description` of its challenge. */
const refusals = {
  /** No token at all. RFC 6750 3.1: the challenge has no error code. */
  token_missing: [401, 'A token is required.'],
  /** What was sent is no bearer token by its grammar, or was sent in the query string. */
  token_malformed: [400, 'The token is malformed or misplaced.', 'invalid_request'],
  /** The token was not issued for this service: form, signature, issuer, audience or claims. Deliberately says no more. */
  token_invalid: [401, 'The access token is not valid here.', 'invalid_token'],
  /** A refresh gives a new one. */
  token_expired: [401, 'The access token has expired.', 'invalid_token', 'expired'],
  /** The account has changed since the token was made. Refresh once; that refresh decides. */
  token_outdated: [401, 'The account has changed: refresh the token.', 'invalid_token', 'outdated'],
  /** Signed out, ended or denied. */
  token_revoked: [401, 'The access token is revoked.', 'invalid_token', 'revoked'],
  /** The challenge's `scope` names what the route needs. */
  insufficient_scope: [403, 'The access token lacks a scope.', 'insufficient_scope'],
  /** The account lacks a role; no other token of it would do. */
  insufficient_role: [403, 'The account lacks a role.', 'insufficient_scope', 'role'],
  /** The person must sign in again: at most `max_age` seconds ago, or by one of `acr_values` (RFC 9470). */
  reauthentication_required: [401, 'Sign in again, or more strongly.', 'insufficient_user_authentication'],
  /** Neither the revocation feed nor the issuer could be asked. Try again after `retryAfter` seconds. */
  verifier_unavailable: [503, 'It cannot be checked just now.'],
} as const satisfies Record<string, readonly [status: number, detail: string, error?: string, error_description?: string]>

/** What a route wants, and where a client reads how to get a token for it (RFC 9728 5.1); `max_age` in seconds. */
export type ChallengeNeeds = Pick<BearerChallenge, 'scope' | 'max_age' | 'acr_values' | 'resource_metadata'>

/** Every code that a `TokenError` may carry. */
export type TokenErrorCode = keyof typeof refusals

/**
 * A request was refused. The message and `getResponse` are fit for the caller; `reason` is for the operator's log only. None of them holds
 * the token.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  /** The HTTP status that the refusal deserves. */
  readonly status: 400 | 401 | 403 | 503
  /** The value of `WWW-Authenticate` (RFC 6750 3); undefined for a 503. */
  readonly challenge: string | undefined
  /** Seconds to wait before trying again; only for a 503. */
  readonly retryAfter: number | undefined
  /** What exactly was wrong. Not for the caller. */
  readonly reason: string

  /** `needs` goes into the challenge. */
  constructor(code: TokenErrorCode, reason: string, needs: ChallengeNeeds = {}) {
    const [status, detail, error, error_description] = refusals[code]
    super(detail)
    this.code = code
    this.status = status
    this.challenge = status === 503 ? undefined : bearerChallenge({ error, error_description, ...needs })
    this.retryAfter = status === 503 ? 1 : undefined
    this.reason = reason
  }

  /** The refusal as a response: the challenge, and problem details (RFC 9457; without a `type` it is about:blank) with the `code`. */
  getResponse(): Response {
    const { status, code, message: detail, challenge, retryAfter } = this
    const headers = {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(challenge && { 'www-authenticate': challenge }),
      ...(retryAfter && { 'retry-after': `${retryAfter}` }),
    }
    return Response.json({ status, code, detail }, { status, headers })
  }
}
