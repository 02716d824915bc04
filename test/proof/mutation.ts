/** Tokens that nobody issued, made from ones that somebody did. */
import type { Random } from './random.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Any base64url or dotted token. Each answers another text, or the same when it does not apply. */
const ANY: Record<string, (random: Random, token: string) => string> = {
  'another character': (random, token) => {
    const at = random.int(0, token.length - 1)
    return token.slice(0, at) + random.pick([...ALPHABET]) + token.slice(at + 1)
  },
  'another case': (random, token) => {
    const at = random.int(0, token.length - 1)
    const letter = token[at] ?? ''
    return token.slice(0, at) + (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) + token.slice(at + 1)
  },
  'cut short': (random, token) => token.slice(0, -random.int(1, Math.min(40, token.length - 1))),
  'cut at the front': (random, token) => token.slice(random.int(1, Math.min(40, token.length - 1))),
  longer: (random, token) => token + random.pick([...ALPHABET, 'AA', 'AAAA', '.', '.A', '~', '+', '/']),
  'in front': (random, token) => random.pick([...ALPHABET, 'AA', 'AAAA', '.', '~']) + token,
  padded: (random, token) => token + random.pick(['=', '==', '===', '%3D']),
  'slack bits': (_, token) => token.split('.').map(withSlackBits).join('.'),
  'slack bits at the end': (_, token) => token.slice(0, -1) + withSlackBits(token).slice(-1),
  'a bit flipped': (random, token) => {
    const parts = token.split('.')
    const index = random.int(0, parts.length - 1)
    return parts.map((part, at) => (at === index ? flipBit(random, part) : part)).join('.')
  },
  'the standard alphabet': (_, token) => token.replaceAll('-', '+').replaceAll('_', '/'),
  quoted: (_, token) => `"${token}"`,
  twice: (_, token) => `${token}${token}`,
  'space inside': (random, token) => {
    const at = random.int(1, token.length - 1)
    return `${token.slice(0, at)} ${token.slice(at)}`
  },
}

type Part = Record<string, unknown>

const decode = (part: string): Part => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
const encode = (part: object | string) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** What only a JWT can suffer: its header or its claims are changed, its signature is not right for them. */
const JWT: Record<string, (random: Random, token: string) => string> = {
  'no signature': (_, token) => token.slice(0, token.lastIndexOf('.') + 1),
  'alg none': (random, token) => withHeader(token, { alg: random.pick(['none', 'None', 'NONE', 'nOnE']) }, random.oneIn(2)),
  'another alg': (random, token) => withHeader(token, { alg: random.pick(['HS256', 'RS256', 'EdDSA', 'ES384', 'ES256K', '', null, 256]) }),
  'another typ': (random, token) => withHeader(token, { typ: random.pick(['JWT', 'jwt', 'AT+JWT', 'at+jwt ', 'dpop+jwt', '', null]) }),
  'another kid': (random, token) => withHeader(token, { kid: random.pick(['', 'nobody', '../../etc/passwd', "' OR 1=1", null, 1]) }),
  'a key of its own': (_, token) =>
    withHeader(token, { jwk: { kty: 'oct', k: 'AAAA' }, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }),
  'critical extension': (_, token) => withHeader(token, { crit: ['exp'], b64: false }),
  'other claims': (random, token) =>
    withClaims(
      token,
      random.pick([
        { sub: 'AAAAAAAAAAAAAAAAAAAAAA' },
        { sid: 'AAAAAAAAAAAAAAAAAAAAAA' },
        { ver: 1_000_000 },
        { exp: 1e12 },
        { iat: 0 },
        { aud: '*' },
        { roles: ['admin'] },
        { scope: 'account admin' },
        { iss: 'https://evil.example' },
      ]),
    ),
  'a claim twice': (_, token) => {
    const [header = '', claims = '', signature = ''] = token.split('.')
    const text = Buffer.from(claims, 'base64url').toString('utf8')
    return [header, encode(`{"ver":1000000,${text.slice(1)}`), signature].join('.')
  },
  'white space in its claims': (_, token) => {
    const [header = '', claims = '', signature = ''] = token.split('.')
    return [header, encode(`${Buffer.from(claims, 'base64url').toString('utf8')} `), signature].join('.')
  },
  'signature of zeros': (_, token) => `${token.slice(0, token.lastIndexOf('.') + 1)}${encode('\0'.repeat(64))}`,
  'a part more': (_, token) => `${token}.${token.split('.')[2] ?? ''}`,
  'a part less': (_, token) => token.split('.').slice(0, 2).join('.'),
}

/** What only our envelope can suffer: version, purpose, secret id, account, generation. */
const ENVELOPE: Record<string, (random: Random, token: string) => string> = {
  'another version': (random, token) => withByte(token, 0, random.int(0, 255)),
  'another purpose': (random, token) => withByte(token, 1, random.int(0, 5)),
  'another secret': (random, token) => withByte(token, random.int(2, 5), random.int(0, 255)),
  'another account': (random, token) => withByte(token, random.int(6, 21), random.int(0, 255)),
  'another generation or secret': (random, token) => withByte(token, random.int(38, 41), random.int(0, 255)),
  'MAC of zeros': (_, token) => Buffer.concat([Buffer.from(token, 'base64url').subarray(0, -16), Buffer.alloc(16)]).toString('base64url'),
  'only its MAC': (_, token) => Buffer.from(token, 'base64url').subarray(-16).toString('base64url'),
}

/** A text that is not `token`, and how it was made. */
export function mutated(random: Random, token: string): { how: string; text: string } {
  const special = token.split('.').length === 3 ? JWT : ENVELOPE
  const ways = Object.entries(random.oneIn(2) ? ANY : special)
  for (;;) {
    const [how, change] = random.pick(ways)
    const text = change(random, token)
    if (text !== token && text.trim() === text && text !== '') return { how, text }
  }
}

/** The same bytes to a lax decoder: the bits of the last character that stand for nothing are set. */
function withSlackBits(part: string): string {
  const slack = { 2: 4, 3: 2 }[part.length % 4]
  if (slack === undefined) return part
  const value = ALPHABET.indexOf(part.at(-1) ?? '')
  return part.slice(0, -1) + (ALPHABET[value ^ ((1 << slack) - 1)] ?? '')
}

function flipBit(random: Random, part: string): string {
  const bytes = Buffer.from(part, 'base64url')
  const at = random.int(0, bytes.length - 1)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7))
  return bytes.toString('base64url')
}

function withByte(token: string, at: number, value: number): string {
  const bytes = Buffer.from(token, 'base64url')
  bytes[at] = value
  return bytes.toString('base64url')
}

function withHeader(token: string, members: Part, unsigned = false): string {
  const [header = '', claims = '', signature = ''] = token.split('.')
  return [encode({ ...decode(header), ...members }), claims, unsigned ? '' : signature].join('.')
}

function withClaims(token: string, members: Part): string {
  const [header = '', claims = '', signature = ''] = token.split('.')
  return [header, encode({ ...decode(claims), ...members }), signature].join('.')
}
