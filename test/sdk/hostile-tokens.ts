// A seeded generator of tokens that no verifier may take, by class of attack (RFC 8725, and the CVEs of the field).

import { encodeBase64url } from '../../src/protocol/base64url.ts'
import { part } from './issuer.ts'

/** What the attacker has: a good token, its claims and header, some signing key (perhaps the issuer's own), and the issuer's public key. */
export type Loot = {
  token: string
  header: Record<string, unknown>
  claims: Record<string, unknown>
  publicJwk: Record<string, unknown>
  sign: (signed: string) => Promise<string>
}

export type HostileToken = { attack: string; token: string }

type Dice = { int(below: number): number; pick<T>(list: readonly [T, ...T[]] | readonly T[]): T; text(length: number): string }

/** Mulberry32: the same seed gives the same attacks. */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (below: number): number => Math.floor(next() * below)
  const pick = <T>(list: readonly T[]): T => {
    const value = list[int(list.length)]
    if (value === undefined) throw new RangeError('nothing to pick from')
    return value
  }
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return { int, pick, text: (length) => Array.from({ length }, () => alphabet.charAt(int(64))).join('') }
}

type Attack = (loot: Loot, dice: Dice) => Promise<string> | string

const signedWith = (loot: Loot, header: unknown, payload: unknown = loot.claims): Promise<string> =>
  loot.sign(`${part(header)}.${part(payload)}`)

/** A JSON object's text with one more member before the others: the first or the last wins, by parser. */
const doubled = (object: Record<string, unknown>, name: string, value: unknown): string =>
  JSON.stringify(object).replace('{', `{${JSON.stringify(name)}:${JSON.stringify(value)},`)

const algs = ['none', 'None', 'NONE', 'nOnE', '', 'HS256', 'HS384', 'HS512', 'ES384', 'ES512', 'ES256K', 'PS256', 'EdDSA', 'RS256', 'es256']
const types = ['JWT', 'jwt', 'at+JWT', 'AT+JWT', 'application/at+jwt', 'dpop+jwt', 'logout+jwt', 'id+jwt', '', 1, null, ['at+jwt']]
const kids = [
  '',
  '../../../../dev/null',
  "' OR 1=1 --",
  'https://evil.example/jwks',
  'k\u0000',
  'k'.repeat(10_000),
  7,
  null,
  {},
  ['k'],
  true,
]
const sources = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'enc', 'cty', 'iss', 'nonce', '__proto__']
const texts = ['', 1, null, true, [], ['a'], {}, 'a'.repeat(2049)]
const times = ['1800000000', -1, 1.5, null, {}, [], true, 1e308, 2 ** 53, 1e17]
const claimValues: readonly (readonly [string, readonly unknown[]])[] = [
  ['iss', [...texts, 'https://evil.example', 'HTTPS://AUTH.EXAMPLE']],
  ['aud', [...texts, ['x'], 'https://evil.example']],
  ['sub', texts],
  ['jti', texts],
  ['client_id', texts],
  ['sid', texts.filter((value) => value !== undefined)],
  ['exp', [...times, 0, 253_402_300_799]],
  ['iat', [...times, 253_402_300_799, 0]],
  ['nbf', [...times, 253_402_300_799]],
  ['ver', [-1, 1.5, '3', null, 2 ** 32, {}]],
  ['auth_time', ['1', -1, 1.5, null]],
  ['scope', [null, 1, ['openid'], {}, 'a'.repeat(2049)]],
  ['roles', ['admin', null, {}, [1], [''], Array.from({ length: 65 }, () => 'r')]],
  ['amr', ['pwd', null, {}, [null]]],
  ['cnf', [{ jkt: 'x' }, {}, null, 'x']],
  ['act', [{}, { sub: '' }, { sub: 'a', act: null }, [], null, 'x']],
]

/** P-256's order, and the signatures that weak verifiers have taken. */
const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
const weakNumbers = ['00'.repeat(32), order, `${order.slice(0, -2)}50`, `${order.slice(0, -2)}52`, `${'00'.repeat(31)}01`, 'ff'.repeat(32)]
const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))

async function hmacToken({ header, claims, publicJwk }: Loot, dice: Dice): Promise<string> {
  const alg = dice.pick(['HS256', 'HS384', 'HS512'])
  const secret = dice.pick([JSON.stringify(publicJwk), String(publicJwk.x), '\u0000', `${publicJwk.x}${publicJwk.y}`])
  const signed = `${part({ ...header, alg })}.${part(claims)}`
  const algorithm = { name: 'HMAC', hash: `SHA-${alg.slice(2)}` }
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), algorithm, false, ['sign'])
  return `${signed}.${encodeBase64url(new Uint8Array(await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(signed))))}`
}

const attacks: Readonly<Record<string, Attack>> = {
  'another algorithm': (loot, dice) => signedWith(loot, { ...loot.header, alg: dice.pick(algs) }),
  'an algorithm that is no text': (loot, dice) => signedWith(loot, { ...loot.header, alg: dice.pick([1, null, ['ES256'], {}, true]) }),
  'no algorithm, no signature': ({ header, claims }, dice) =>
    `${part({ ...header, alg: dice.pick(['none', 'None', 'nOnE']) })}.${part(claims)}.${dice.pick(['', 'AA'])}`,
  'the public key as a secret': hmacToken,
  'the algorithm twice': (loot, dice) => signedWith(loot, doubled(loot.header, 'alg', dice.pick(algs))),
  'a key of the sender': (loot, dice) =>
    signedWith(loot, doubled(loot.header, dice.pick(sources), dice.pick([loot.publicJwk, ['x'], 'https://evil.example/', false, 1]))),
  'another kid': (loot, dice) => signedWith(loot, { ...loot.header, kid: dice.pick([...kids, dice.text(12)]) }),
  'no kid': (loot) => signedWith(loot, { alg: loot.header.alg, typ: loot.header.typ }),
  'another type': (loot, dice) => signedWith(loot, { ...loot.header, typ: dice.pick(types) }),
  'a claim of another form': (loot, dice) => {
    const [name, values] = dice.pick(claimValues)
    return signedWith(loot, loot.header, { ...loot.claims, [name]: dice.pick(values) })
  },
  'a claim missing': (loot, dice) => {
    const name = dice.pick(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope', 'ver'])
    return signedWith(loot, loot.header, { ...loot.claims, [name]: undefined })
  },
  'a claim twice': (loot, dice) => signedWith(loot, loot.header, doubled(loot.claims, dice.pick(['sub', 'aud', 'exp', 'roles']), 'admin')),
  'a number past every number': (loot, dice) =>
    signedWith(
      loot,
      loot.header,
      JSON.stringify({ ...loot.claims, exp: 0 }).replace('"exp":0', `"exp":${dice.pick(['1e999', '1e400', '-1e999'])}`),
    ),
  pollution: (loot, dice) => signedWith(loot, loot.header, doubled(loot.claims, '__proto__', { roles: [dice.text(3)] })),
  'JSON that parsers read differently': (loot, dice) => {
    const text = JSON.stringify(loot.claims)
    return signedWith(
      loot,
      loot.header,
      dice.pick([`\ufeff${text}`, `${text}x`, `[${text}]`, text.replace('{', '{"a":"\\ud800",'), text.slice(0, -1)]),
    )
  },
  'JSON too deep': (loot, dice) => signedWith(loot, loot.header, `{"a":${'['.repeat(9 + dice.int(500))}`),
  'bytes that are no UTF-8': ({ header, sign }, dice) =>
    sign(`${part(header)}.${encodeBase64url(Uint8Array.from([0x7b, 0xc0, 0x80 + dice.int(64), 0x7d]))}`),
  'a weak signature': ({ token }, dice) => {
    const signature = bytesOf(dice.pick(weakNumbers) + dice.pick(weakNumbers))
    return `${token.slice(0, token.lastIndexOf('.'))}.${encodeBase64url(signature)}`
  },
  'a signature of another length': ({ token }, dice) =>
    `${token.slice(0, token.lastIndexOf('.'))}.${dice.text(dice.pick([2, 3, 4, 43, 84, 87, 88, 96, 128, 171, 342]))}`,
  'a random signature': ({ token }, dice) => `${token.slice(0, token.lastIndexOf('.'))}.${dice.text(85)}${dice.pick(['A', 'Q', 'g', 'w'])}`,
  'one character changed': ({ token }, dice) => {
    const at = dice.int(token.length)
    const other = dice.pick('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'.replace(token.charAt(at), '').split(''))
    return token.slice(0, at) + other + token.slice(at + 1)
  },
  'characters removed': ({ token }, dice) => {
    const at = dice.int(token.length - 5)
    return token.slice(0, at) + token.slice(at + 1 + dice.int(4))
  },
  'the parts in disorder': ({ token }, dice) => {
    const [a = '', b = '', c = ''] = token.split('.')
    return dice.pick([
      a,
      `${a}.${b}`,
      `${a}.${b}.`,
      `.${b}.${c}`,
      `${a}..${c}`,
      `${b}.${a}.${c}`,
      `${a}.${b}.${c}.${dice.text(4)}`,
      `${a}.${b}.${c}.`,
    ])
  },
  'an encrypted token': ({ header }, dice) =>
    `${part({ ...header, alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 2 ** 31 })}.${dice.text(8)}.${dice.text(16)}.${dice.text(40)}.${dice.text(22)}`,
  'another spelling': ({ token }, dice) => {
    const last = token.charCodeAt(token.length - 1)
    return dice.pick([
      `${token}=`,
      `${token}==`,
      `${token.slice(0, -1)}${String.fromCharCode(last + 1)}`,
      token.replaceAll('-', '+').replaceAll('_', '/').concat('='),
    ])
  },
  'not a bearer token by its grammar': ({ token }, dice) => {
    const [a, b, c] = token.split('.')
    return dice.pick([
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `"${token}"`,
      `${token},${token}`,
      JSON.stringify({ payload: b, protected: a, signature: c }),
      JSON.stringify({ payload: b, signatures: [{ protected: a, signature: c }] }),
      token.replace('.', '\u3002'),
    ])
  },
  noise: (_loot, dice) => dice.text(1 + dice.int(400)),
  'too long': ({ token }, dice) => token + dice.text(8192 + dice.int(8192)),
  'another secret of ours': (_loot, dice) => dice.text(dice.pick([43, 86, 112, 160])),
}

/** Whether a header can hold it as it is. */
export const isHeaderText = (text: string): boolean => /^[\x20-\x7e]*$/.test(text)

/** `count` hostile tokens, every class in turn. */
export async function* hostileTokens(loot: Loot, count: number, seed: number): AsyncGenerator<HostileToken> {
  const dice = diceOf(seed)
  const classes = Object.entries(attacks)
  for (let made = 0; made < count; made++) {
    const [attack, make] = classes[made % classes.length] ?? []
    if (attack === undefined || make === undefined) return
    const token = await make(loot, dice)
    // Chance may bring a good one: the same character, the same algorithm.
    if (token !== loot.token && token !== (await signedWith(loot, loot.header))) yield { attack, token }
  }
}
