// The registered error codes of the OAuth endpoints, and the status each is answered with. RFC 6749 5.2 unless said otherwise.

export const OAUTH_ERRORS = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  invalid_scope: 400,
  /** RFC 8707, 2. */
  invalid_target: 400,
  /** RFC 9449, 5 and 8. */
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  /** RFC 8628, 3.5. */
  authorization_pending: 400,
  slow_down: 400,
  expired_token: 400,
  access_denied: 400,
  /** RFC 7591, 3.2.2. */
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  /** RFC 6750, 3.1; at the client configuration and registration endpoints. */
  invalid_token: 401,
  /** RFC 7009, 2.2.1. */
  unsupported_token_type: 400,
  /** RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6: told at the client's address, and by RFC 9126, 2.3 when it was pushed. */
  unsupported_response_type: 400,
  login_required: 400,
  consent_required: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  invalid_request_uri: 400,
  /** RFC 6749, 4.1.2.1, as a status: to a client that no redirect answers. */
  server_error: 500,
  temporarily_unavailable: 503,
} as const satisfies Record<string, number>

export type OAuthErrorCode = keyof typeof OAUTH_ERRORS
