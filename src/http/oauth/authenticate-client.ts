import type { Client, KnownClient } from '../../clients/client.ts'
import { isClientSecret } from '../../clients/client-secret.ts'
import { JWT_BEARER_ASSERTION, readClientCredentials, type ShownCredentials } from '../../oauth/client-credentials.ts'
import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import { verifyClientAssertion } from './client-assertion.ts'
import { fetchDocument } from './fetch-document.ts'
import { findClient } from './find-client.ts'
import type { Parameters } from './form.ts'
import { OAuthError } from './oauth-error.ts'

const invalidClient = (description: string, reason: string, basic: boolean) =>
  new OAuthError('invalid_client', description, {
    reason,
    // RFC 6749, 5.2: whoever tried the header is answered by one.
    ...(basic ? { headers: { 'WWW-Authenticate': 'Basic realm="sallyport", charset="UTF-8"' } } : {}),
  })

async function isAsserted(c: AppContext, known: KnownClient, client_assertion: string): Promise<boolean> {
  const presented = { client_assertion, client_assertion_type: JWT_BEARER_ASSERTION }
  const outcome = await verifyClientAssertion(c, known, presented, (url) => fetchKeys(c, url))
  if (outcome.ok) return true
  if (outcome.error === 'unavailable') {
    // Its own doing, or that of whoever serves its keys: never our fault to answer for with a 5xx.
    throw invalidClient('The keys at jwks_uri cannot be had.', outcome.reason, false)
  }
  log(c, 'info', 'assertion_refused', { client_id: known.client.client_id, reason: outcome.reason })
  return false
}

async function fetchKeys(c: AppContext, url: string): Promise<object> {
  const fetched = await fetchDocument(c, url, { maxAgeMs: 0 })
  if (!fetched.ok) throw new Error(fetched.reason)
  return fetched.document
}

async function isProven(c: AppContext, known: KnownClient | null, shown: ShownCredentials): Promise<boolean> {
  if (shown.method === 'none') return true
  if (shown.method === 'private_key_jwt') return known !== null && (await isAsserted(c, known, shown.assertion))
  // An unknown client costs the same comparison.
  const secrets = known?.secrets ?? [{ hash: 'A'.repeat(43), expires_at: null }]
  return (await isClientSecret(secrets, shown.secret, Math.floor(Date.now() / 1000))) && known !== null
}

/** Whose assertion it claims to be, read before it is verified, only to find the keys that verify it. */
function claimedClient(assertion: string): string | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString())
    return typeof claims === 'object' && claims !== null && 'sub' in claims && typeof claims.sub === 'string' ? claims.sub : null
  } catch {
    return null
  }
}

/**
 * The client of a request, authenticated in the one way that it is registered for (RFC 6749, 2.3). Throws `invalid_client`, told alike for
 * an unknown client and a wrong secret.
 */
export async function authenticateClient(c: AppContext, parameters: Parameters): Promise<Client> {
  const reading = readClientCredentials(c.req.header('Authorization'), parameters)
  if (!reading.ok) {
    if (reading.error === 'invalid_request') throw new OAuthError('invalid_request', reading.description)
    throw invalidClient(reading.description, reading.description, reading.method === 'client_secret_basic')
  }
  const shown = reading.credentials
  const basic = shown.method === 'client_secret_basic'
  const client_id = shown.client_id ?? (shown.method === 'private_key_jwt' ? claimedClient(shown.assertion) : null)
  const known = client_id === null ? null : await findClient(c, client_id)
  const proven = await isProven(c, known, shown)
  if (!known || !proven)
    throw invalidClient('The client is unknown, or did not prove who it is.', known ? 'not proven' : 'unknown client', basic)
  const { client } = known
  if (client.token_endpoint_auth_method !== shown.method) {
    throw invalidClient(`This client authenticates by ${client.token_endpoint_auth_method}.`, 'another method', basic)
  }
  return client
}
