import { describe, expect, test } from 'vitest'
import { encodeBase64url } from '../../src/protocol/base64url.ts'
import { checkDpopProof, type ProofDemands } from '../../src/sdk/dpop-proof.ts'
import { jwkThumbprint } from '../../src/sdk/proof-key.ts'
import { mutated } from '../proof/mutation.ts'
import { createRandom } from '../proof/random.ts'
import { type Change, makeClientKey, makeProof, signJws } from './proofs.ts'

const NOW = 1_800_000_000
const ACCESS_TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
const URL_ASKED = 'https://server.example.com/token'
const asked = { method: 'POST', url: URL_ASKED, now: NOW }
const [key, other, edwards, pss, rsa] = await Promise.all([
  makeClientKey(),
  makeClientKey(),
  makeClientKey('EdDSA'),
  makeClientKey('PS256'),
  makeClientKey('RS256'),
])

const check = async (proof: string | Promise<string>, demands: Partial<ProofDemands> = {}) =>
  checkDpopProof(await proof, { ...asked, ...demands })
const proofWith = (change: Change) => makeProof(key, asked, change)

describe('the examples of the RFCs', () => {
  const head =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19'
  const forToken = `${head}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg`
  const forResource = `${head}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA`
  const jkt = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'

  test('RFC 9449 4.1: a proof for the token endpoint', async () => {
    expect(await check(forToken, { now: 1_562_262_620 })).toEqual({
      ok: true,
      jkt,
      jti: '-BwC3ESc6acc2lTc',
      iat: 1_562_262_616,
      expires_at: 1_562_262_687,
    })
  })

  test('RFC 9449 7.1: a proof for a resource, with its access token and no other', async () => {
    const demands = { now: 1_562_262_620, method: 'GET', url: 'https://resource.example.org/protectedresource' }
    expect(await check(forResource, { ...demands, accessToken: ACCESS_TOKEN })).toMatchObject({ ok: true, jkt })
    expect(await check(forResource, { ...demands, accessToken: `${ACCESS_TOKEN}x` })).toMatchObject({ ok: false, reason: 'ath' })
    expect(await check(forToken, { now: 1_562_262_620, accessToken: ACCESS_TOKEN })).toMatchObject({ ok: false, reason: 'ath' })
  })

  test('RFC 7638 3.1: a thumbprint counts what makes the key and nothing else', async () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    const thumbprint = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
    expect(await jwkThumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' })).toBe(thumbprint)
    expect(await jwkThumbprint({ e: 'AQAB', n, kty: 'RSA' })).toBe(thumbprint)
  })

  test('RFC 8037 A.3: the thumbprint of an Ed25519 key', async () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }
    expect(await jwkThumbprint(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  })

  test.each([{}, { kty: 'oct', k: 'AAAA' }, { kty: 'EC', crv: 'P-256', x: 'A' }, { kty: 'toString' }, null, 'x'])(
    '%j has none',
    async (jwk) => {
      expect(await jwkThumbprint(jwk)).toBe(null)
    },
  )
})

test.each([
  ['ES256', key, {}],
  ['EdDSA', edwards, {}],
  ['Ed25519, the newer name', edwards, { alg: 'Ed25519' }],
  ['PS256', pss, {}],
  ['ES256, with a member that nobody knows', key, { tx_id: 1 }],
])('a good proof by %s is taken', async (_, signer, header) => {
  expect(await check(makeProof(signer, asked, { header }))).toMatchObject({ ok: true, jkt: await jwkThumbprint(signer.jwk) })
})

test.each<[string, Change]>([
  [
    'a key with a name, a use and an algorithm',
    { header: { jwk: { ...key.jwk, kid: 'k1', use: 'sig', alg: 'ES256', key_ops: ['verify'] } } },
  ],
  ['an iat 10 s ahead', { claims: { iat: NOW + 10 } }],
  ['an iat 10 s back', { claims: { iat: NOW - 10 } }],
  ['an iat 70 s back, the last moment', { claims: { iat: NOW - 70 } }],
  ['an iat with a fraction', { claims: { iat: NOW - 0.5 } }],
  ['nbf and exp that hold', { claims: { nbf: NOW, exp: NOW + 60 } }],
  ['an htu with a query and a fragment', { claims: { htu: `${URL_ASKED}?a=b#c` } }],
  ['scheme and host in capitals', { claims: { htu: 'HTTPS://SERVER.Example.COM/token' } }],
  ['the default port', { claims: { htu: 'https://server.example.com:443/token' } }],
  ['dot segments', { claims: { htu: 'https://server.example.com/a/../token' } }],
  ['needless percent-encoding', { claims: { htu: 'https://server.example.com/%74oken' } }],
  ['an ath that nobody asks for', { claims: { ath: 'x' } }],
  ['other claims', { claims: { extra: { deep: [1] } } }],
])('taken: %s', async (_, change) => {
  expect(await check(proofWith(change))).toMatchObject({ ok: true })
})

const refused: [string, Change, string][] = [
  ...['typ', 'alg', 'jwk'].map((name): [string, Change, string] => [`no ${name}`, { header: { [name]: undefined } }, name]),
  ...['jti', 'htm', 'htu', 'iat'].map((name): [string, Change, string] => [`no ${name}`, { claims: { [name]: undefined } }, name]),
  ...['JWT', 'jwt', 'DPOP+JWT', 'dpop+jwt ', 'application/dpop+jwt', 'at+jwt', 1, null].map((typ): [string, Change, string] => [
    `the typ ${typ}`,
    { header: { typ } },
    'typ',
  ]),
  ...['none', 'None', 'HS256', 'RS256', 'ES384', 'ES256K', 'es256', '', null, 256, ['ES256'], 'toString'].map(
    (alg): [string, Change, string] => [`the alg ${alg}`, { header: { alg } }, 'alg'],
  ),
  ['an alg that is not the key’s', { header: { alg: 'EdDSA' } }, 'jwk'],
  ['a private key', { header: { jwk: key.secret } }, 'jwk'],
  ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].map((name): [string, Change, string] => [
    `the private member ${name}`,
    { header: { jwk: { ...key.jwk, [name]: 'AQAB' } } },
    'jwk',
  ]),
  ['a symmetric key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }, 'jwk'],
  ['a key for encryption', { header: { jwk: { ...key.jwk, use: 'enc' } } }, 'jwk'],
  ['a key of another algorithm', { header: { jwk: { ...key.jwk, alg: 'ES384' } } }, 'jwk'],
  ['a point that is not on the curve', { header: { jwk: { ...key.jwk, x: key.jwk.y } } }, 'jwk'],
  ['a coordinate with spare bits', { header: { jwk: { ...key.jwk, x: `${String(key.jwk.x).slice(0, -1)}B` } } }, 'jwk'],
  ['a coordinate that is too short', { header: { jwk: { ...key.jwk, x: 'AAAA' } } }, 'jwk'],
  ...[[key.jwk], 'x', null, 1].map((jwk): [string, Change, string] => [`a jwk that is ${typeof jwk}`, { header: { jwk } }, 'jwk']),
  ['the jwk of somebody else', { header: { jwk: other.jwk } }, 'signature'],
  ...['jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'cty'].map((name): [string, Change, string] => [
    `the header ${name}`,
    { header: { [name]: ['x'] } },
    'header',
  ]),
  ...['GET', 'post', 'Post', 'POST ', '', 1, ['POST']].map((htm): [string, Change, string] => [
    `the htm ${htm}`,
    { claims: { htm } },
    'htm',
  ]),
  ...[
    'https://server.example.com/Token',
    'https://server.example.com/token/',
    'https://server.example.com/token%2F',
    'https://server.example.com//token',
    'https://server.example.com/',
    'https://server.example.com',
    'https://server.example.com:8443/token',
    'https://server.example.com:80/token',
    'http://server.example.com/token',
    'https://server.example.com./token',
    'https://other.example.com/token',
    'https://server.example.com.evil.example/token',
    'https://user@server.example.com/token',
    'https://evil.example\\@server.example.com/token',
    'https:\\\\server.example.com\\token',
    'https:server.example.com/token',
    'https:///server.example.com/token',
    ' https://server.example.com/token',
    'https://server.example.com/to\tken',
    'https://server.example.com/token\n',
    'https://ｓerver.example.com/token',
    '//server.example.com/token',
    '/token',
    'token',
    '',
    'data:,x',
    `https://server.example.com/token?${'a'.repeat(2048)}`,
    1,
    null,
    [URL_ASKED],
  ].map((htu): [string, Change, string] => [`the htu ${JSON.stringify(htu).slice(0, 60)}`, { claims: { htu } }, 'htu']),
  ...[NOW + 3600, NOW - 3600, NOW + 11, NOW - 71, 0, -1, NOW * 1000, String(NOW), null, [NOW], true].map(
    (iat): [string, Change, string] => [`the iat ${iat}`, { claims: { iat } }, 'iat'],
  ),
  ...['', 'x'.repeat(257), 1, null, ['x'], {}].map((jti): [string, Change, string] => [
    `the jti ${JSON.stringify(jti).slice(0, 30)}`,
    { claims: { jti } },
    'jti',
  ]),
  ['an nbf in the future', { claims: { nbf: NOW + 60 } }, 'nbf'],
  ['an exp in the past', { claims: { exp: NOW - 60 } }, 'exp'],
  ['a nonce that is no text', { claims: { nonce: 1 } }, 'nonce'],
]

test.each(refused)('refused: %s', async (_, change, reason) => {
  expect(await check(proofWith(change))).toEqual({ ok: false, error: 'invalid_dpop_proof', reason })
})

test('RS256 is refused, though the key is a good one', async () => {
  expect(await check(makeProof(rsa, asked))).toMatchObject({ ok: false, reason: 'alg' })
})

test('what is no compact JWS of two objects is refused', async () => {
  const good = await proofWith({})
  const [head = '', body = '', signature = ''] = good.split('.')
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk }
  const texts = [
    ...['', '.', '..', '...', 'x', '""', 'null', head, `${head}.${body}`, `${head}.${body}.`, `${good}.`, `${good}.x`],
    ...[
      `${good}=`,
      ` ${good}`,
      `${good} `,
      `${good}, ${good}`,
      `${good},${good}`,
      `DPoP ${good}`,
      `${head}..${signature}`,
      `.${body}.${signature}`,
    ],
    'x'.repeat(9000),
    await signJws(key, header, '[]'),
    await signJws(key, header, 'null'),
    await signJws(key, header, '{"jti":"x"'),
    await signJws(key, header, `{"htm":"POST","htm":"POST","htu":"${URL_ASKED}","iat":${NOW},"jti":"x"}`),
    await signJws(key, `{"typ":"dpop+jwt","typ":"dpop+jwt","alg":"ES256","jwk":${JSON.stringify(key.jwk)}}`, '{}'),
    await signJws(key, [], { jti: 'x' }),
    await signJws(key, header, { jti: 'x', htm: 'POST', htu: URL_ASKED, iat: NOW, pad: 'x'.repeat(9000) }),
  ]
  for (const text of texts) expect(await check(text), text.slice(0, 80)).toMatchObject({ ok: false, error: 'invalid_dpop_proof' })
})

test('a proof is for one request: of another method, address or moment it is refused', async () => {
  const proof = await proofWith({})
  expect(await check(proof, { method: 'GET' })).toMatchObject({ reason: 'htm' })
  expect(await check(proof, { url: `${URL_ASKED}/x` })).toMatchObject({ reason: 'htu' })
  expect(await check(proof, { now: NOW + 71 })).toMatchObject({ reason: 'iat' })
  expect(await check(proof, { url: 'nonsense' })).toMatchObject({ reason: 'htu' })
})

test.each([NOW - 70, NOW, NOW + 10, NOW - 0.5])(
  'what is remembered until expires_at is good until then and no longer: iat %d',
  async (iat) => {
    const proof = await proofWith({ claims: { iat } })
    const outcome = await check(proof)
    if (!outcome.ok) throw new Error(outcome.reason)
    expect(await check(proof, { now: outcome.expires_at })).toMatchObject({ reason: 'iat' })
    expect(await check(proof, { now: outcome.expires_at - 1 })).toMatchObject({ ok: true })
  },
)

test('a nonce is judged by who demands it, and only of a proof that is good otherwise', async () => {
  const demands = { isNonce: (nonce: string | null) => nonce === 'right' }
  expect(await check(proofWith({ claims: { nonce: 'right' } }), demands)).toMatchObject({ ok: true })
  for (const nonce of ['wrong', undefined]) {
    expect(await check(proofWith({ claims: { nonce } }), demands)).toMatchObject({ ok: false, error: 'use_dpop_nonce' })
  }
  expect(await check(proofWith({ header: { jwk: other.jwk } }), demands)).toMatchObject({ error: 'invalid_dpop_proof' })
  expect(await check(proofWith({ claims: { nonce: '' } }), demands)).toMatchObject({ error: 'invalid_dpop_proof' })
})

test('2,000 seeded changes of good proofs: none is taken, none throws', async () => {
  const random = createRandom(9449)
  const proofs = await Promise.all([key, edwards, pss].map((signer) => makeProof(signer, { ...asked, accessToken: ACCESS_TOKEN })))
  const demands = { accessToken: ACCESS_TOKEN }
  for (const proof of proofs) expect(await check(proof, demands)).toMatchObject({ ok: true })
  const taken: string[] = []
  for (let count = 0; count < 2000; count++) {
    const { how, text } = mutated(random, random.pick(proofs))
    if ((await check(text, demands)).ok) taken.push(`${how}: ${text}`)
  }
  expect(taken).toEqual([])
})

test('1,000 seeded claims of any kind, signed well, throw nothing', async () => {
  const random = createRandom(4711)
  const values = [
    null,
    true,
    0,
    -1,
    1e300,
    0.1,
    '',
    'x',
    '\u0000',
    'https://[',
    {},
    [],
    [[]],
    { jkt: 'x' },
    NOW,
    encodeBase64url(new Uint8Array(32)),
  ]
  const names = ['typ', 'alg', 'jwk', 'kid']
  const claims = ['jti', 'htm', 'htu', 'iat', 'ath', 'nonce', 'nbf', 'exp']
  for (let count = 0; count < 1000; count++) {
    const name = random.pick([...names, ...claims])
    const change = { [name]: random.oneIn(10) ? undefined : random.pick(values) }
    const outcome = await check(proofWith(names.includes(name) ? { header: change } : { claims: change }))
    expect(typeof outcome.ok).toBe('boolean')
  }
})
