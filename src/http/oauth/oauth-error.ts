import { OAUTH_ERRORS, type OAuthErrorCode } from '../../protocol/oauth-error.ts'

/**
 * A refusal of an OAuth endpoint on its way to the wire (RFC 6749, 5.2). `description` is for the client's developer and says what to
 * change; `reason` is for the log and never sent. Thrown only in http/, written only in app.ts.
 */
export class OAuthError extends Error {
  override name = 'OAuthError'
  readonly error: OAuthErrorCode
  readonly description: string
  readonly reason: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(error: OAuthErrorCode, description: string, options: { reason?: string; headers?: Record<string, string> } = {}) {
    super(error)
    this.error = error
    this.description = description
    this.reason = options.reason
    this.headers = options.headers ?? {}
  }

  get status(): number {
    return OAUTH_ERRORS[this.error]
  }

  getResponse(): Response {
    const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', Pragma: 'no-cache', ...this.headers }
    return new Response(JSON.stringify({ error: this.error, error_description: this.description }), { status: this.status, headers })
  }
}
