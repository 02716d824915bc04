/** Hosts that a content policy can name: names and 127.0.0.1. No other address, and no bracket (CSP 3, 6.7.2.8). */
const NAMEABLE = /^(?:127\.0\.0\.1|(?=[a-z0-9.-]*[a-z])[a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::\d{1,5})?$/

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']

/**
 * Sources for the `form-action` of a page whose form leads to this redirect. Browsers hold every redirect behind a form to the policy of
 * its page, also those that the client itself makes afterwards: an app on this device sends the person on to its site, and a site in
 * development to its other port. So the way on is open to every https host, and from loopback to loopback; it is never open to http elsewhere.
 */
export function formActionFor(redirectUri: string): string[] {
  if (!URL.canParse(redirectUri)) return []
  const { protocol, host, hostname } = new URL(redirectUri)
  if (protocol === 'https:') return ['https:']
  if (protocol === 'http:') {
    if (LOOPBACK.includes(hostname))
      return ['https:', 'http://127.0.0.1:*', 'http://localhost:*', ...(hostname === '[::1]' ? ['http:'] : [])]
    return NAMEABLE.test(host) ? ['https:', `http://${host}`] : []
  }
  // RFC 8252, 7.1: a private-use scheme has a dot, as those that run or hold a document have not.
  return /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:$/.test(protocol) ? ['https:', protocol] : []
}
