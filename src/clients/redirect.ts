import type { Client } from './client.ts'
import { isLoopbackHost, readPlainUrl } from './public-address.ts'

/** A private-use scheme (RFC 8252, 7.1): a domain name turned round, so it has a dot, and no scheme that a browser runs or opens has. */
const PRIVATE_SCHEME = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:$/

/**
 * Why a redirect URI may not be registered, or null: https; http on loopback (RFC 8252, 7.3); for native clients a private-use scheme.
 * A list of what is allowed, by shape: whatever else there is or will be (`javascript:`, `data:`, `intent:`) is not on it.
 */
export function redirectRefusal(text: string, application_type: Client['application_type']): string | null {
  const url = readPlainUrl(text)
  if (!url) return 'must be an absolute URI in its plain spelling, without fragment, user info, white space and dot segments'
  if (url.hostname.includes('*')) return 'must name one host: nothing is matched by a pattern'
  if (url.protocol === 'https:') return null
  if (url.protocol === 'http:') return isLoopbackHost(url.hostname) ? null : 'must be https (http only on 127.0.0.1, [::1] or localhost)'
  if (!PRIVATE_SCHEME.test(url.protocol) || text.length === url.protocol.length) {
    return 'must be https, or have a private-use scheme with a dot, such as com.example.app:/callback'
  }
  return application_type === 'native' ? null : 'has a private-use scheme: that needs "application_type": "native"'
}

/** `http://127.0.0.1` or `http://[::1]`, a port or none, and what follows. A name is no literal: another host file may own it. */
const LOOPBACK_LITERAL = /^http:\/\/(127\.0\.0\.1|\[::1\])(?::(\d{1,5}))?(\/.*|\?.*|)$/

/**
 * The redirect URI to answer to, or null: exactly one that is registered, character by character (RFC 9700, 2.1). The one exception is the
 * port of a registered http loopback literal, which a native client gets from its system at each start (RFC 8252, 7.3).
 */
export function matchRedirect({ redirect_uris }: Pick<Client, 'redirect_uris'>, given: string): string | null {
  if (redirect_uris.includes(given)) return given
  const asked = LOOPBACK_LITERAL.exec(given)
  if (!asked || !isPort(asked[2])) return null
  const [, host, , rest] = asked
  const known = redirect_uris.some((registered) => {
    const mine = LOOPBACK_LITERAL.exec(registered)
    return mine !== null && mine[1] === host && mine[3] === rest
  })
  return known ? given : null
}

/** One spelling each: no leading zero, and not a port that browsers drop. */
const isPort = (text: string | undefined): boolean =>
  text === undefined || (/^[1-9]\d*$/.test(text) && Number(text) <= 65_535 && text !== '80')
