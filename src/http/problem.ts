import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { TokenError } from '../sdk/index.ts'

/**
 * Every `code` that `/api` and `/admin/api` answer, with the status it comes with. Stable: callers switch on them. `detail` is for people
 * and may change.
 */
export const PROBLEMS = {
  invalid_request: [400, 'The request is malformed; `errors` says where.'],
  malformed_json: [400, 'The body is not JSON in UTF-8.'],
  two_credentials: [400, 'The request carries a session cookie and a token; send one.'],
  invalid_grant: [400, 'The refresh token is not accepted. Sign in again.'],
  invalid_target: [400, 'The audience is not one that tokens are made for.'],
  invalid_scope: [400, 'The scope is not one that tokens are made with.'],
  no_session: [401, 'There is no living session here.'],
  invalid_credentials: [401, 'The address or the password is wrong.'],
  invalid_token: [401, 'The operator token is missing or wrong.'],
  wrong_password: [403, 'The current password is wrong.'],
  cross_origin: [403, 'The request comes from an origin that may not act for this session.'],
  browser_origin: [403, 'Tokens are not given to browsers; use the session cookie and POST /api/token.'],
  insufficient_scope: [403, 'The token does not carry the scope that this needs.'],
  not_found: [404, 'There is nothing here.'],
  method_not_allowed: [405, 'This path does not take this method; `Allow` says which.'],
  identifier_taken: [409, 'There is an account with this address.'],
  body_too_large: [413, 'The body is larger than 16 KiB.'],
  unsupported_media_type: [415, 'The body must be application/json.'],
  password_too_short: [422, 'The password is too short.'],
  password_too_long: [422, 'The password is too long.'],
  password_common: [422, 'The password is too easy to guess.'],
  password_contains_identifier: [422, 'The password is made from your address or name.'],
  password_malformed: [422, 'The password is not valid text.'],
  too_many_attempts: [429, 'Too many wrong passwords; wait as long as Retry-After says.'],
  too_many_keys: [429, 'As many keys are published as verifiers take; an old one goes at Retry-After.'],
  headers_too_large: [431, 'The Authorization header is longer than any token of ours.'],
  internal_error: [500, 'Something is wrong on our side.'],
  misconfigured: [503, 'This deployment is not configured.'],
  overloaded: [503, 'Too much to do; try again after Retry-After.'],
  unavailable: [503, 'A part of the service cannot be reached; try again after Retry-After.'],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string]>

export type ProblemCode = keyof typeof PROBLEMS

/** Where in the body something is wrong: a JSON Pointer (RFC 6901) and what was expected there. Never the value. */
export type FieldError = { pointer: string; detail: string }

/**
 * A refusal on its way to the wire. `reason` is for the log and never sent. Thrown only in http/, written only in app.ts.
 */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly code: ProblemCode
  readonly detail: string | undefined
  readonly reason: string | undefined
  readonly errors: readonly FieldError[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProblemCode,
    options: {
      detail?: string
      reason?: string
      errors?: readonly FieldError[]
      headers?: Record<string, string>
      retryAfter?: number
    } = {},
  ) {
    super(code)
    this.code = code
    this.detail = options.detail
    this.reason = options.reason
    this.errors = options.errors
    const retry = options.retryAfter === undefined ? {} : { 'Retry-After': String(options.retryAfter) }
    this.headers = { ...options.headers, ...retry }
  }
}

/** The phrase of each status that a refusal has. */
export const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** A refused access token, with its challenge (RFC 6750, 3), in the same words as every other problem of ours. */
export function tokenProblemResponse({ status, code, message, challenge, retryAfter }: TokenError, requestId: string): Response {
  const body = { type: 'about:blank', title: TITLES[status] ?? '', status, code, detail: message, request_id: requestId }
  const headers = {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
  }
  return new Response(JSON.stringify(body), { status, headers })
}

/** Problem details (RFC 9457). `type` is about:blank, so `title` is the status's phrase (4.2.1) and `code` tells problems apart. */
export function problemResponse(code: ProblemCode, requestId: string, error: Partial<ApiError> = {}): Response {
  const [status, fallback] = PROBLEMS[code]
  const body = {
    type: 'about:blank',
    title: TITLES[status] ?? '',
    status,
    code,
    detail: error.detail ?? fallback,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
    request_id: requestId,
  }
  // RFC 9110, 15.5.2: a 401 names a scheme, whatever it refuses.
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}
  const headers = { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...challenge, ...error.headers }
  return new Response(JSON.stringify(body), { status, headers })
}
