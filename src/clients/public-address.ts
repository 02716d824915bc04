/**
 * Which addresses this Worker may be sent to by others (server-side request forgery: OWASP ASVS 5.0, 1.3.6). Judged after URL parsing, which
 * brings every spelling of an IPv4 address (octal, hex, one number, full-width digits) to dotted decimals and every IPv6 address to one text.
 * A name that leads to a private address is not seen here: the runtime's `global_fetch_strictly_public` keeps that.
 */

/** `issuer`: our own origin, which nobody sends us back to. */
export type OutsideRules = { development: boolean; issuer: string }

/** The longest URL that is stored or fetched, in characters. */
export const MAX_URL_LENGTH = 2048

/** Hosts that mean this very machine, as `URL.hostname` spells them. */
export const isLoopbackHost = (hostname: string): boolean => hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'

/** The characters of a URI (RFC 3986, 2), percent-encoding whole: no white space, control character, backslash or anything beyond ASCII. */
const uri = /^(?:[\w\-.~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/

/**
 * The URL of a text that has one reading only: as browsers would write it themselves, so without dot segments, default port, upper-case
 * host or odd spelling of an address; without user info and fragment. The one freedom: an empty path. Null for anything else.
 */
export function readPlainUrl(text: string): URL | null {
  if (text.length > MAX_URL_LENGTH || !uri.test(text) || text.includes('#') || !URL.canParse(text)) return null
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || /^[^/?]*\/\/[^/?]*@/.test(text)) return null
  if (url.href === text) return url
  return url.pathname === '/' && url.href === text.replace(url.origin, `${url.origin}/`) ? url : null
}

/**
 * Why a URL may not be fetched, or null when it may: https to a public host on port 443, in development also another port, and http to
 * loopback; never to ourselves.
 */
export function outsideRefusal(text: string, { development, issuer }: OutsideRules): string | null {
  const url = readPlainUrl(text)
  if (!url) return 'must be an absolute URL in its plain spelling, without user info and fragment'
  const own = new URL(issuer)
  if (url.protocol === 'http:' && development && isLoopbackHost(url.hostname)) {
    return isLoopbackHost(own.hostname) && url.port === own.port ? 'must not lead back to this server' : null
  }
  if (url.protocol !== 'https:') return development ? 'must be https, or http on loopback' : 'must be https'
  if (url.port !== '' && !development) return 'must use port 443'
  if (!isPublicHost(url.hostname)) return 'must lead to a public address'
  return url.hostname === own.hostname ? 'must not lead back to this server' : null
}

/**
 * Names that no public resolver answers, or that networks keep for themselves (RFC 6761, RFC 6762, RFC 8375, RFC 9476, ICANN's `internal` and
 * the three that it withholds: `corp`, `home`, `mail`). `example` is for the documents of others, as ours are.
 */
const PRIVATE_SUFFIX =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|private|corp|home|mail|lan|svc|arpa|onion|alt|test|invalid)$/

/** Whether a host, as `URL.hostname` spells it, is a public address or a name that could have one. */
export function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith('[')) return isPublicIpv6(hostname.slice(1, -1))
  if (/^\d+\.\d+\.\d+\.\d+$/.test(hostname)) return isPublicIpv4(hostname.split('.').map(Number))
  // A dot at the end is another spelling, and slips past lists of names.
  return /^(?:[a-z0-9_-]+\.)+[a-z0-9-]*[a-z][a-z0-9-]*$/.test(hostname) && !PRIVATE_SUFFIX.test(hostname)
}

/**
 * First address and prefix length of every block that is not global (IANA IPv4 Special-Purpose Address Registry), of multicast, and of the
 * one global address that a cloud gives to its host (Azure's).
 */
const NOT_GLOBAL_IPV4: readonly (readonly [first: string, length: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

const numberOf = (octets: readonly number[]): number => octets.reduce((value, octet) => value * 256 + octet, 0)

function isPublicIpv4(octets: readonly number[]): boolean {
  const address = numberOf(octets)
  return !NOT_GLOBAL_IPV4.some(([first, length]) => {
    const size = 2 ** (32 - length)
    return Math.floor(address / size) === Math.floor(numberOf(first.split('.').map(Number)) / size)
  })
}

/**
 * Global unicast is 2000::/3, without the blocks in it that are not global or carry another address inside: 2001::/23 (Teredo, ORCHID),
 * 2001:db8::/32, 2002::/16 (6to4), 3fff::/20. Mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), unique local and link-local lie outside it.
 */
function isPublicIpv6(text: string): boolean {
  const [first = 0, second = 0] = groupsOf(text)
  if (first < 0x2000 || first > 0x3fff) return false
  if (first === 0x2001 && (second < 0x200 || second === 0xdb8)) return false
  return first !== 0x2002 && !(first === 0x3fff && second < 0x1000)
}

/** The groups before the first `::`; the URL parser has compressed the longest run of zeros. */
const groupsOf = (text: string): number[] => (text.split('::')[0] ?? '').split(':').map((group) => Number.parseInt(group || '0', 16))
