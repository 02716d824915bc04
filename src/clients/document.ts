/**
 * Client ID Metadata Documents (draft-ietf-oauth-client-id-metadata-document): a client whose `client_id` is the https URL of a document in
 * which it describes itself. Nobody registers it; whoever owns the address answers for it.
 */
import type { Client } from './client.ts'
import { type MetadataRules, readClientMetadata } from './metadata.ts'
import { isLoopbackHost, type OutsideRules, outsideRefusal, readPlainUrl } from './public-address.ts'

/** The longest URL that is a client_id, in characters: it stands in every token of the client. */
export const MAX_DOCUMENT_URL_LENGTH = 512

/** A query that says one thing to everybody who reads it. */
const plainQuery = /^\?[\w\-.~=&]+$/

/** Whether a client_id is the address of a metadata document that we would fetch (draft, 3). */
export function isDocumentUrl(client_id: string, rules: OutsideRules): boolean {
  if (!/^https?:\/\//.test(client_id) || client_id.length > MAX_DOCUMENT_URL_LENGTH) return false
  const url = readPlainUrl(client_id)
  if (!url || outsideRefusal(client_id, rules) !== null) return false
  return url.pathname !== '/' && (url.search === '' || plainQuery.test(url.search))
}

export type ReadDocument = { ok: true; client: Client } | { ok: false; reason: string }

/**
 * The client that a document at `client_id` describes. It must name that very URL (else anybody's document would be anybody's client), hold
 * no secret, and send people back, and have itself told of logouts, at its own origin, or at the machine they sit at.
 */
export function readClientDocument(
  client_id: string,
  document: Readonly<Record<string, unknown>>,
  rules: Omit<MetadataRules, 'source' | 'mayBeLegacy'>,
): ReadDocument {
  if (document.client_id !== client_id) return { ok: false, reason: 'the document names another client_id' }
  if (Object.hasOwn(document, 'client_secret') || Object.hasOwn(document, 'client_secret_expires_at')) {
    return { ok: false, reason: 'the document holds a client_secret' }
  }
  const read = readClientMetadata(client_id, document, { ...rules, source: 'document', mayBeLegacy: false })
  if (!read.ok) return { ok: false, reason: read.description }
  const { origin } = new URL(client_id)
  const { redirect_uris, post_logout_redirect_uris, backchannel_logout_uri } = read.client
  // Posts to it are repeated for a day: nobody has them sent to somebody else.
  const told = backchannel_logout_uri === null ? [] : [backchannel_logout_uri]
  const foreign = [...redirect_uris, ...post_logout_redirect_uris, ...told].some((uri) => {
    const url = new URL(uri)
    return url.origin !== origin && !(url.protocol === 'http:' && isLoopbackHost(url.hostname))
  })
  return foreign ? { ok: false, reason: 'a redirect or logout URI of the document is neither of its own origin nor on loopback' } : read
}
