/** How a client shows who it is (RFC 6749, 2.3; OpenID Connect Core, 9), read off a request: exactly one way, or none. */
import type { AuthMethod } from '../clients/client.ts'

export type ShownCredentials =
  | { method: 'none'; client_id: string }
  | { method: 'client_secret_basic' | 'client_secret_post'; client_id: string; secret: string }
  /** `client_id`: as the body says it, which the assertion must agree with; null: the assertion alone says it. */
  | { method: 'private_key_jwt'; client_id: string | null; assertion: string }

export type CredentialsReading =
  | { ok: true; credentials: ShownCredentials }
  | { ok: false; error: 'invalid_request' | 'invalid_client'; description: string; method: AuthMethod }

export const JWT_BEARER_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const refuse = (error: 'invalid_request' | 'invalid_client', description: string, method: AuthMethod = 'none'): CredentialsReading => ({
  ok: false,
  error,
  description,
  method,
})

/** Throws for what is no UTF-8. Form-encoded text is ASCII, and decoded already. */
function decodeUtf8(binary: string): string {
  if (/^[ -~]*$/.test(binary)) return binary
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)))
}

/** RFC 6749, 2.3.1: both halves are form-encoded before they are joined. */
function decodeBasic(authorization: string): { client_id: string; secret: string } | null {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization)?.[1]
  if (encoded === undefined) return null
  try {
    const text = decodeUtf8(atob(encoded))
    const at = text.indexOf(':')
    const half = (part: string) => decodeURIComponent(part.replaceAll('+', ' '))
    return at < 0 ? null : { client_id: half(text.slice(0, at)), secret: half(text.slice(at + 1)) }
  } catch {
    return null
  }
}

export function readClientCredentials(authorization: string | undefined, parameters: ReadonlyMap<string, string>): CredentialsReading {
  const client_id = parameters.get('client_id') ?? null
  const secret = parameters.get('client_secret')
  const assertion = parameters.get('client_assertion')
  const type = parameters.get('client_assertion_type')
  const isBasic = authorization !== undefined && /^basic(?: |$)/i.test(authorization)
  if ([isBasic, secret !== undefined, assertion !== undefined || type !== undefined].filter(Boolean).length > 1) {
    return refuse('invalid_request', 'A request authenticates its client in one way only.')
  }
  if (isBasic) {
    const basic = decodeBasic(authorization)
    if (!basic) return refuse('invalid_client', 'The Authorization header is not Basic credentials.', 'client_secret_basic')
    if (client_id !== null && client_id !== basic.client_id)
      return refuse('invalid_request', 'client_id names another client than the header.')
    return { ok: true, credentials: { method: 'client_secret_basic', ...basic } }
  }
  if (assertion !== undefined || type !== undefined) {
    if (assertion === undefined || type !== JWT_BEARER_ASSERTION) {
      return refuse('invalid_client', `client_assertion comes with client_assertion_type ${JWT_BEARER_ASSERTION}.`, 'private_key_jwt')
    }
    return { ok: true, credentials: { method: 'private_key_jwt', client_id, assertion } }
  }
  if (client_id === null) return refuse('invalid_client', 'No client is named.')
  if (secret !== undefined) return { ok: true, credentials: { method: 'client_secret_post', client_id, secret } }
  return { ok: true, credentials: { method: 'none', client_id } }
}
