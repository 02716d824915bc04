/** Bodies shaped as the routes take them, and then spoilt. */
import type { Knowledge } from './hostile-request.ts'
import type { Random } from './random.ts'

const STRANGE = [
  '',
  ' ',
  '\u0000',
  'null',
  '-1',
  '1e999',
  '%00',
  '..%2f..%2f',
  '<script>',
  "' OR 1=1 --",
  '{{7*7}}',
  '\ud83d\ude00',
  'ﬁ',
  'A'.repeat(300),
]

/** A JSON value of any kind, sometimes deep. */
function value(random: Random, depth = 0): unknown {
  switch (random.int(0, depth > 3 ? 6 : 9)) {
    case 0:
      return null
    case 1:
      return random.oneIn(2)
    case 2:
      return random.pick([0, -1, 1.5, 2 ** 53, -(2 ** 31)])
    case 3:
    case 4:
      return random.pick(STRANGE)
    case 5:
      return 'x'.repeat(random.pick([1, 255, 1017, 1025, 4096]))
    case 6:
      return random.pick(['__proto__', 'constructor', 'toString', '\u202e', '\u0007', 'é'.normalize('NFD')])
    case 7:
      return Array.from({ length: random.int(0, 40) }, () => value(random, depth + 1))
    case 8:
      return { [String(random.pick(STRANGE))]: value(random, depth + 1), length: value(random, depth + 1) }
    default:
      return { valueOf: value(random, depth + 1), toJSON: value(random, depth + 1) }
  }
}

const ADDRESSES = [
  'https://app.example.com/cb',
  'http://127.0.0.1:0/cb',
  'javascript:alert(1)',
  'https://[::1',
  'http://169.254.169.254/',
  'app:/',
  '\u0000',
]

const clientMetadata = (random: Random): Record<string, unknown> => ({
  redirect_uris: random.pick<unknown>([
    ['https://app.example.com/cb'],
    [random.pick(ADDRESSES)],
    Array(40).fill('https://a.example/'),
    'x',
    [null],
  ]),
  token_endpoint_auth_method: random.pick(['none', 'client_secret_basic', 'private_key_jwt', 'tls_client_auth', '__proto__']),
  grant_types: random.pick<unknown>([
    ['authorization_code'],
    ['client_credentials'],
    ['implicit'],
    [],
    'x',
    Array(40).fill('refresh_token'),
  ]),
  jwks: random.pick<unknown>([
    null,
    { keys: [] },
    { keys: [{ kty: 'oct', k: 'AAAA' }] },
    { keys: 'x' },
    { keys: [{ kty: 'RSA', n: 'AQ', e: 'AQAB' }] },
    [],
  ]),
  jwks_uri: random.pick([null, ...ADDRESSES]),
  backchannel_logout_uri: random.pick([null, ...ADDRESSES]),
  client_name: random.pick(['App', '', '\u202e', '<b>', 'x'.repeat(2_000)]),
  scope: random.pick([null, 'openid', 'openid  x', '"']),
})

/** Bodies as the routes take them, by the end of the path. Right form and right content together are rare: each such costs a hash. */
const SHAPES: Record<string, (random: Random, known: Knowledge) => Record<string, unknown>> = {
  'sign-up': (random) => ({
    email: random.pick([
      '',
      '@',
      'a@b',
      'a@@b.c',
      `${'a'.repeat(70)}@example.com`,
      'a@exa mple.com',
      'ａ＠example.com',
      `new-${random.int(1, 99)}@example.com`,
    ]),
    password: random.pick(['x', '', 'password1', 'y'.repeat(2_000), '\ud800', 'aaaaaaaaaaaaaaaaaaaa', 'new@example.com']),
    name: random.pick(['Ann', '', ' ', '\u0000', 'x'.repeat(300), '<b>']),
  }),
  'sign-in': (random, known) => ({
    email: random.pick(['', 'a@b', `fuzz-${random.int(1, 20)}@example.com`, '\u202e@example.com', `${'ﬁ'.repeat(300)}@example.com`]),
    password: random.pick(['x', '', 'y'.repeat(2_000), '\ud800', 'e\u0301'.repeat(200)]),
    use: random.pick(['cookie', 'tokens', 'both', null]),
    audience: random.pick([known.origin, 'urn:nobody', '']),
  }),
  'sign-out': (random, known) => random.pick([{}, { refresh_token: known.access }, { refresh_token: known.refresh }]),
  refresh: (random, known) => ({
    refresh_token: random.pick([known.refresh, known.refresh.slice(1), known.access, 'A'.repeat(102), 'A'.repeat(99), '', '\u0000']),
  }),
  token: (random, known) => ({
    audience: random.pick([known.origin, 'urn:nobody', '', `${known.origin}/`]),
    scope: random.pick(['account', 'admin', 'account account', ' ', '"', '\u0000']),
  }),
  password: (random) => ({
    current_password: 'x',
    new_password: random.pick(['short', 'y'.repeat(300), 'password1234567', '\ud800'.repeat(20)]),
  }),
  register: (random) => clientMetadata(random),
  '{client_id}': (random, known) => ({ ...clientMetadata(random), client_id: random.pick([known.oauth.client_id, 'x']) }),
  roles: (random) => ({ roles: random.pick([['a b'], Array(40).fill('r'), 'admin', [''], [null], ['é'], [['r']]]) }),
}

export function body(random: Random, known: Knowledge, path: string): Buffer {
  const shape = (!random.oneIn(8) && SHAPES[path.split('/').at(-1) ?? '']) || random.pick(Object.values(SHAPES))
  const fields = shape(random, known)
  const key = random.pick([...Object.keys(fields), 'extra'])
  const text = JSON.stringify(random.oneIn(2) ? { ...fields, [key]: value(random) } : fields)
  switch (random.int(0, 12)) {
    case 0:
      return Buffer.from(text.slice(0, random.int(0, text.length)))
    case 1:
      return Buffer.from('['.repeat(random.pick([10, 8_000])))
    case 2:
      return Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xff, 0xfe, 0xc0, 0x80])])
    case 3:
      return Buffer.from(`\ufeff${text}`)
    case 4:
      return Buffer.from(`{"__proto__":{"use":"tokens"},${text.slice(1)}`)
    case 5:
      return Buffer.from(JSON.stringify({ ...fields, filler: 'x'.repeat(random.pick([16_000, 17_000, 70_000])) }))
    case 6:
      return Buffer.from(JSON.stringify(value(random)))
    case 7:
      return Buffer.from(new URLSearchParams({ grant_type: 'password', a: text }).toString())
    case 8:
      return Buffer.alloc(random.int(0, 2_000), random.int(0, 255))
    default:
      return Buffer.from(text)
  }
}
