import type { Client } from '../clients/client.ts'

/** What a person is told of a client. `host`: whose document it is, or where its home page is; `place`: where the answer goes. */
export type ClientIdentity = { name: string; host: string | null; place: string; verified: boolean }

const hostOf = (uri: string | null): string | null => (uri !== null && URL.canParse(uri) ? new URL(uri).host || null : null)

const isLoopback = (hostname: string) => hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'

/** Where a redirect goes, in words: the host that a person can judge, or an app on the same device (RFC 8252, 7). */
export function placeOf(redirectUri: string): string {
  if (!URL.canParse(redirectUri)) return 'an unknown address'
  const { protocol, host, hostname } = new URL(redirectUri)
  if (protocol !== 'https:' && protocol !== 'http:') return `an app on this device (${protocol.slice(0, -1)})`
  return isLoopback(hostname) ? `an app on this device (${host})` : host
}

/**
 * What is known of a client. A name that it gave itself proves nothing, but the host of its own document (Client ID Metadata Document) is
 * where that document was fetched from. A home page is shown only when the operator vouches for it.
 */
export function identityOf(client: Client, redirectUri: string): ClientIdentity {
  const { source, client_id, client_name, client_uri } = client
  const host = source === 'document' ? hostOf(client_id) : source === 'configuration' ? hostOf(client_uri) : null
  return { name: client_name ?? host ?? client_id, host, place: placeOf(redirectUri), verified: source === 'configuration' }
}
