// Why a request was refused, in the closed set of codes that callers may rely on, and as the HTTP answer that says so.

import { type BearerChallenge, bearerChallenge } from '../protocol/bearer.ts'

/** How each code appears on the wire: its status, its title, and the fixed part of its challenge (null: none). */
const refusals = {
  /** No token at all. RFC 6750 3.1: the challenge has no error code. */
  token_missing: { status: 401, detail: 'A bearer token is required.', challenge: {} },
  /** What was sent is no bearer token by its grammar, or was sent in the query string. */
  token_malformed: {
    status: 400,
    detail: 'The request does not carry one well-formed bearer token.',
    challenge: { error: 'invalid_request' },
  },
  /** The token was not issued for this service: form, signature, issuer, audience or claims. Deliberately says no more. */
  token_invalid: { status: 401, detail: 'The access token is not valid here.', challenge: { error: 'invalid_token' } },
  /** A refresh gives a new one. */
  token_expired: {
    status: 401,
    detail: 'The access token has expired.',
    challenge: { error: 'invalid_token', error_description: 'expired' },
  },
  /** The account has changed since the token was made. Refresh once; that refresh decides. */
  token_outdated: {
    status: 401,
    detail: 'The account has changed since this access token was made.',
    challenge: { error: 'invalid_token', error_description: 'outdated' },
  },
  /** Signed out, ended or denied. */
  token_revoked: {
    status: 401,
    detail: 'The access token has been revoked.',
    challenge: { error: 'invalid_token', error_description: 'revoked' },
  },
  /** The challenge's `scope` names what the route needs. */
  insufficient_scope: { status: 403, detail: 'The access token lacks a scope.', challenge: { error: 'insufficient_scope' } },
  /** The account lacks a role; no other token of it would do. */
  insufficient_role: {
    status: 403,
    detail: 'The account lacks a role.',
    challenge: { error: 'insufficient_scope', error_description: 'role' },
  },
  /** The person must sign in again, at most `max_age` seconds ago (RFC 9470). */
  reauthentication_required: {
    status: 401,
    detail: 'A more recent sign-in is required.',
    challenge: { error: 'insufficient_user_authentication' },
  },
  /** Neither the revocation feed nor the issuer could be asked. Try again after `retryAfter` seconds. */
  verifier_unavailable: { status: 503, detail: 'The access token cannot be checked at the moment.', challenge: null },
} as const satisfies Record<string, { status: number; detail: string; challenge: BearerChallenge | null }>

/** Every code that a `TokenError` may carry. */
export type TokenErrorCode = keyof typeof refusals

const titles = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 503: 'Service Unavailable' } as const

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

  /** `needs` adds what the route wants to the challenge: `scope`, or `max_age` in seconds. */
  constructor(code: TokenErrorCode, reason: string, needs: Pick<BearerChallenge, 'scope' | 'max_age' | 'acr_values'> = {}) {
    const { status, detail, challenge } = refusals[code]
    super(detail)
    this.code = code
    this.status = status
    this.challenge = challenge === null ? undefined : bearerChallenge({ ...challenge, ...needs })
    this.retryAfter = status === 503 ? 1 : undefined
    this.reason = reason
  }

  /** The refusal as a response: the challenge, and problem details (RFC 9457) with the `code`. */
  getResponse(): Response {
    const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
    if (this.challenge !== undefined) headers.set('www-authenticate', this.challenge)
    if (this.retryAfter !== undefined) headers.set('retry-after', String(this.retryAfter))
    const problem = { type: 'about:blank', title: titles[this.status], status: this.status, code: this.code, detail: this.message }
    return new Response(JSON.stringify(problem), { status: this.status, headers })
  }
}
