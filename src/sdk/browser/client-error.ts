/** Where in the body something is wrong: a JSON Pointer (RFC 6901) and what was expected there. */
export type FieldError = { pointer: string; detail: string }

/**
 * Why a call failed. The `code` of the service's problem document (RFC 9457), or one of three of our own: `network_error` (no answer),
 * `unexpected_response` (an answer that is not the service's), `origin_not_allowed` (a request that must not carry the token).
 */
export type ClientErrorCode =
  | 'network_error'
  | 'unexpected_response'
  | 'origin_not_allowed'
  | 'no_session'
  | 'invalid_credentials'
  | 'identifier_taken'
  | 'too_many_attempts'
  | 'password_too_short'
  | 'password_too_long'
  | 'password_common'
  | 'password_contains_identifier'
  | 'password_malformed'
  | 'invalid_request'
  | 'invalid_target'
  | 'invalid_scope'
  | 'cross_origin'
  | 'overloaded'
  | 'unavailable'
  | 'misconfigured'
  | 'internal_error'
  // A newer service may have more; the names above stay offered by editors.
  | (string & {})

type Facts = { status?: number; retryAfter?: number | undefined; errors?: readonly FieldError[] | undefined; cause?: unknown }

/** A call to Sallyport failed. `message` is the problem's `detail`, for people; programs read `code`. Never holds a token. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode
  readonly detail: string
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number
  /** Seconds to wait before trying again, where the service says so. */
  readonly retryAfter: number | undefined
  /** What is wrong with which field (`invalid_request`). */
  readonly errors: readonly FieldError[]

  constructor(code: ClientErrorCode, detail: string, { status = 0, retryAfter, errors = [], cause }: Facts = {}) {
    super(detail, { cause })
    this.code = code
    this.detail = detail
    this.status = status
    this.retryAfter = retryAfter
    this.errors = errors
  }
}
