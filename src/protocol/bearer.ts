// Bearer tokens on HTTP: reading one from a request, and the challenge that refuses it. RFC 6750, RFC 9470, RFC 9728.

/** The longest bearer token that is looked at, in characters. */
export const MAX_BEARER_LENGTH = 8192

/** What `readBearer` answers. `missing` deserves a challenge without an error code (RFC 6750 3.1), `invalid_request` a 400. */
export type BearerReading = { ok: true; token: string } | { ok: false; error: 'missing' | 'invalid_request'; reason: string }

const b64token = /^[A-Za-z0-9\-._~+/]+=*$/

/**
 * The bearer token of a request, from its `Authorization` header only (RFC 6750 2.1).
 *
 * A token in the query string is refused and its value never read: addresses end in logs (RFC 9700 4.3.2). Two headers arrive joined by
 * a comma, which the grammar refuses.
 */
export function readBearer(headers: { get(name: string): string | null }, url: string): BearerReading {
  const found = findBearer(headers, url)
  if (!found.ok || isB64token(found.token)) return found
  return refuse('not a b64token')
}

/** Whether a text has the grammar of a bearer token, and a length that is looked at. */
export const isB64token = (text: string): boolean => text.length <= MAX_BEARER_LENGTH && b64token.test(text)

/** The same as `readBearer` but for the grammar of the token: for one who compares it with tokens that have passed. */
export function findBearer(headers: { get(name: string): string | null }, url: string): BearerReading {
  if (hasQueryToken(url)) return refuse('in the query')
  const header = headers.get('authorization')
  if (header === null) return { ok: false, error: 'missing', reason: 'no header' }
  if (!/^bearer(?: |$)/i.test(header)) return refuse('another scheme')
  let start = 6
  while (header.charCodeAt(start) === 0x20) start++
  return { ok: true, token: header.slice(start) }
}

/** The parameters of a Bearer challenge: RFC 6750 3, `acr_values` and `max_age` (seconds) RFC 9470 3, `resource_metadata` RFC 9728 5.1. */
export type BearerChallenge = {
  error?: string | undefined
  error_description?: string | undefined
  scope?: string | undefined
  resource_metadata?: string | undefined
  acr_values?: string | undefined
  max_age?: number | undefined
}

/** The value of a `WWW-Authenticate` header: `Bearer`, and the given parameters, in their order, as quoted strings (RFC 9110 5.6.4). */
export function bearerChallenge(challenge: BearerChallenge = {}): string {
  const parts = Object.entries(challenge).flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${quotable(String(value))}"`]))
  return `Bearer ${parts.join(', ')}`.trimEnd()
}

/** Control characters and non-ASCII would split or break the header: each becomes `?`. */
const quotable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')

function hasQueryToken(href: string): boolean {
  // A `%` may spell the name differently; most queries have neither and are not parsed.
  if (!href.includes('?') || !/access_token|%/.test(href)) return false
  return new URLSearchParams(/^[^?#]*\?([^#]*)/.exec(href)?.[1]).has('access_token')
}

const refuse = (reason: string): BearerReading => ({ ok: false, error: 'invalid_request', reason })
