import type { CallApi } from './api.ts'
import { ClientError } from './client-error.ts'

/** An access token in a tab's memory. Milliseconds since 1970 by the machine's clock; `issuedAtMs` is when its request started. */
export type HeldToken = { accessToken: string; issuedAtMs: number; expiresAtMs: number }

/** What a token is asked for. */
export type TokenRequest = { audience?: string; scope?: string }

/** A new token for the session of the cookie (`POST /api/token`). */
export async function requestToken(callApi: CallApi, request: TokenRequest): Promise<HeldToken> {
  const issuedAtMs = Date.now()
  const { status, json } = await callApi('POST', '/api/token', request)
  const answer: { access_token?: unknown; expires_in?: unknown } = typeof json === 'object' && json !== null ? json : {}
  if (typeof answer.access_token !== 'string' || typeof answer.expires_in !== 'number') {
    throw new ClientError('unexpected_response', 'The service answered no token.', { status })
  }
  return { accessToken: answer.access_token, issuedAtMs, expiresAtMs: issuedAtMs + answer.expires_in * 1000 }
}

/** The session a token says it is of, to compare with, never to trust; null when it cannot be read. */
export function sidOf({ accessToken }: HeldToken): string | null {
  try {
    const payload = accessToken.split('.')[1] ?? ''
    const claims: unknown = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    return typeof claims === 'object' && claims !== null && 'sid' in claims && typeof claims.sid === 'string' ? claims.sid : null
  } catch {
    return null
  }
}
