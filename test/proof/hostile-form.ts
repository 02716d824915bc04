/** Forms shaped as OAuth clients and pages send them, and then spoilt. */
import { pkce } from '../support/node/oauth.ts'
import type { Knowledge } from './hostile-request.ts'
import type { Random } from './random.ts'

export type Fields = Record<string, string>

/** What a sender has of OAuth: a client of its own, and one of everything that was given to it. */
export type OAuthKnowledge = {
  client_id: string
  client_secret: string
  registration_access_token: string
  access_token: string
  refresh_token: string
  id_token: string
  code: string
  device_code: string
  user_code: string
  request_uri: string
  interaction: string
  client_assertion: string
  dpop: string
}

const STRANGE = [
  '',
  ' ',
  '\u0000',
  '%',
  '%00',
  '-1',
  '1e999',
  '{}',
  '[]',
  'null',
  '\ud83d\ude00',
  '\u202e',
  '<script>',
  "' OR 1=1 --",
  'A'.repeat(99),
  '..',
  '*',
]

const REDIRECTS = [
  'https://app.example.com/callback',
  'https://app.example.com/callback/../x',
  'https://app.example.com@evil.example/',
  'javascript:alert(1)',
  'http://127.0.0.1:1/',
  'https://[::1',
  '//evil.example',
  'https://app.example.com/callback#x',
  `https://app.example.com/${'a'.repeat(3_000)}`,
]

const GRANTS = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
  'password',
  '__proto__',
  'constructor',
]

/** Any credential, in any field: a wrong kind is the likeliest mistake, and the likeliest attack. */
const credential = (random: Random, { oauth, cookie, access, refresh }: Knowledge): string =>
  random.pick([...Object.values(oauth), cookie, access, refresh, 'x', 'A'.repeat(72), `${oauth.access_token}x`, 'e30.e30.e30'])

/** Mostly the right client, so that what lies behind its authentication is reached. */
const client = (random: Random, { oauth }: Knowledge): Fields => ({
  client_id: random.oneIn(6)
    ? random.pick(['', 'x', 'https://localhost/client', 'A'.repeat(22), '../x', 'https://127.0.0.1:1/c'])
    : oauth.client_id,
  ...(random.oneIn(6) ? {} : { client_secret: random.oneIn(8) ? 'wrong' : oauth.client_secret }),
})

const authorization = (random: Random, known: Knowledge): Fields => ({
  response_type: random.oneIn(6) ? random.pick(['token', 'code id_token', 'none', '']) : 'code',
  client_id: known.oauth.client_id,
  redirect_uri: random.oneIn(3) ? random.pick(REDIRECTS) : 'https://app.example.com/callback',
  scope: random.pick(['openid', 'openid email offline_access', 'openid  email', 'account', '\u0000', 'x'.repeat(2_000)]),
  state: random.pick(['s', '', '"><script>', '\u0000', 'é', 'x'.repeat(3_000)]),
  code_challenge: random.oneIn(4) ? random.pick(STRANGE) : pkce().code_challenge,
  code_challenge_method: random.oneIn(4) ? random.pick(['plain', 's256', '']) : 'S256',
})

const AUTHORIZATION_EXTRAS = [
  'prompt',
  'max_age',
  'id_token_hint',
  'login_hint',
  'nonce',
  'response_mode',
  'resource',
  'dpop_jkt',
  'request',
  'ui_locales',
  'claims',
]

/** Fields as the routes take them, by their path. */
const SHAPES: Record<string, (random: Random, known: Knowledge) => Fields> = {
  '/oauth/authorize': authorization,
  '/oauth/par': (random, known) => ({ ...authorization(random, known), ...client(random, known) }),
  '/oauth/token': (random, known) => ({
    ...client(random, known),
    grant_type: random.pick(GRANTS),
    code: credential(random, known),
    code_verifier: random.pick([pkce().code_verifier, '', 'short', 'A'.repeat(200), 'é'.repeat(50)]),
    redirect_uri: random.pick(REDIRECTS),
    refresh_token: credential(random, known),
    device_code: credential(random, known),
    subject_token: credential(random, known),
    scope: random.pick(['openid', 'openid  x', '\u0000', '']),
  }),
  '/oauth/introspect': (random, known) => ({
    ...client(random, known),
    token: credential(random, known),
    token_type_hint: random.pick(STRANGE),
  }),
  '/oauth/revoke': (random, known) => ({
    ...client(random, known),
    token: random.pick(['x', known.access, known.oauth.code, 'A'.repeat(9_000)]),
  }),
  '/oauth/device_authorization': (random, known) => ({ ...client(random, known), scope: random.pick(['openid', 'x', '']) }),
  '/oauth/logout': (random, known) => ({
    id_token_hint: credential(random, known),
    client_id: known.oauth.client_id,
    post_logout_redirect_uri: random.pick(REDIRECTS),
    state: random.pick(STRANGE),
  }),
  '/oauth/userinfo': (random, known) => ({ access_token: credential(random, known) }),
  '/consent': (random, known) => ({ interaction: credential(random, known), decision: random.pick(['allow', 'deny', 'ALLOW', '']) }),
  '/device': (random, known) => ({
    user_code: random.pick([known.oauth.user_code, 'BCDF-GHJK', 'AEIO', '\u0000', 'B'.repeat(300)]),
    decision: random.pick(['allow', 'deny', 'x']),
  }),
  '/sign-in': (random, known) => ({
    interaction: credential(random, known),
    email: random.pick(['a@b', '', '\u0000']),
    continue: random.pick(REDIRECTS),
  }),
  '/sign-up': (random, known) => ({
    interaction: credential(random, known),
    email: random.pick(['a@b', '', '\u0000']),
    password: random.pick(['x', '']),
  }),
  '/sign-out': () => ({ confirmed: 'yes' }),
}

/** Null: the route takes no form. */
export function formFields(random: Random, known: Knowledge, path: string): Fields | null {
  const shape = SHAPES[path]
  if (!shape) return null
  const fields = shape(random, known)
  if (random.oneIn(3))
    fields[random.pick(AUTHORIZATION_EXTRAS)] = random.pick([...STRANGE, credential(random, known), 'none', 'login', 'form_post'])
  if (random.oneIn(6))
    fields[random.pick(['request_uri', 'interaction', 'client_assertion', 'client_assertion_type'])] = credential(random, known)
  if (random.oneIn(4)) delete fields[random.pick(Object.keys(fields))]
  if (random.oneIn(4)) fields[random.pick([...Object.keys(fields), 'extra', '__proto__', 'constructor'])] = random.pick(STRANGE)
  return fields
}

/** As bytes: sometimes with a field twice, cut off, not UTF-8, too large or no form at all. */
export function encodeForm(random: Random, fields: Fields): Buffer {
  const text = new URLSearchParams(fields).toString()
  switch (random.int(0, 11)) {
    case 0:
      return Buffer.from(`${text}&${text}`)
    case 1:
      return Buffer.from(text.slice(0, random.int(0, text.length)))
    case 2:
      return Buffer.concat([Buffer.from(`${text}&a=`), Buffer.from([0xff, 0xfe, 0xc0, 0x80])])
    case 3:
      return Buffer.from(`${text}&filler=${'x'.repeat(random.pick([16_000, 17_000, 70_000]))}`)
    case 4:
      return Buffer.from(JSON.stringify(fields))
    case 5:
      return Buffer.from('&'.repeat(random.pick([10, 5_000])) + text)
    default:
      return Buffer.from(text)
  }
}
