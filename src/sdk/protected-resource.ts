// Protected resource metadata (RFC 9728): where a client that was refused reads which issuer to ask, and for what.

/** The members of RFC 9728 2 that this kind of resource has; others may be added. */
export type ProtectedResource = {
  /** The resource's identifier: an https URL without a fragment (http on a loopback host). Tokens for it have it as their audience. */
  resource: string
  /** The issuers whose tokens are accepted. */
  authorization_servers: readonly string[]
  scopes_supported?: readonly string[]
  resource_name?: string
  resource_documentation?: string
  [member: string]: unknown
}

/**
 * A handler that answers the metadata, for `/.well-known/oauth-protected-resource` followed by the path of `resource` (RFC 9728 3.1).
 * Throws TypeError naming the member that is wrong.
 */
export function protectedResourceMetadata(metadata: ProtectedResource): () => Response {
  for (const address of [metadata.resource, ...metadata.authorization_servers]) requireAddress(address)
  if (metadata.authorization_servers.length === 0) throw new TypeError('authorization_servers: at least one is needed')
  const body = JSON.stringify({ bearer_methods_supported: ['header'], ...metadata })
  const headers = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300', 'access-control-allow-origin': '*' }
  return () => new Response(body, { headers })
}

const loopback = ['localhost', '127.0.0.1', '[::1]']

function requireAddress(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : null
  const isSecure = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback.includes(url.hostname))
  if (!isSecure || text.includes('#')) throw new TypeError(`resource, authorization_servers: ${text} is no https URL without a fragment`)
}
