import { describe, expect, test } from 'vitest'
import {
  ASSERTION_TYPE,
  MAX_ASSERTION_LIFETIME,
  type PresentedAssertion,
  readClientAssertion,
  verifyAssertionSignature,
} from '../../src/oauth/client-assertion.ts'
import { mutated } from '../proof/mutation.ts'
import { createRandom } from '../proof/random.ts'
import { type Change, type ClientKey, makeAssertion, makeClientKey, type ProofAlg, signJws } from './proofs.ts'

const NOW = 1_800_000_000
const ISSUER = 'https://auth.example.com'
const client = { client_id: 'client-1', token_endpoint_auth_signing_alg: null }
const named = { client_id: client.client_id, issuer: ISSUER, now: NOW }
const algs: ProofAlg[] = ['ES256', 'EdDSA', 'PS256', 'RS256']
const keys = Object.fromEntries(await Promise.all(algs.map(async (alg) => [alg, await makeClientKey(alg)] as const)))
const [key, other] = await Promise.all([makeClientKey(), makeClientKey()])

const presented = (client_assertion: string | undefined): PresentedAssertion => ({
  client_assertion_type: ASSERTION_TYPE,
  client_assertion,
})
const read = (text: string | undefined, asked: Parameters<typeof readClientAssertion>[1] = client) =>
  readClientAssertion(presented(text), asked, ISSUER, NOW)

/** Both halves, as the endpoint goes through them. */
async function verify(text: string, set: readonly unknown[] = [key.jwk], asked?: Parameters<typeof readClientAssertion>[1]) {
  const reading = read(text, asked)
  return reading.ok ? verifyAssertionSignature(reading.assertion, set) : reading
}
const assertionWith = (change: Change, signer: ClientKey = key) => makeAssertion(signer, named, change)

test.each(algs)('a good assertion by %s is taken, by a key with a name or without', async (alg) => {
  const signer = keys[alg]
  if (signer === undefined) throw new Error('no key')
  const good = { ok: true, exp: NOW + 60, expires_at: NOW + 70 }
  expect(await verify(await assertionWith({}, signer), [signer.jwk])).toMatchObject(good)
  const set = [other.jwk, { ...signer.jwk, kid: 'k2', alg, use: 'sig' }]
  expect(await verify(await assertionWith({ header: { kid: 'k2' } }, signer), set)).toMatchObject(good)
})

test('Ed25519 and EdDSA are two names of one algorithm', async () => {
  const { EdDSA: signer } = keys
  if (signer === undefined) throw new Error('no key')
  for (const header of [{ alg: 'Ed25519' }, { alg: 'EdDSA' }]) {
    for (const alg of ['Ed25519', 'EdDSA', undefined]) {
      const asked = { ...client, token_endpoint_auth_signing_alg: alg ?? null }
      expect(await verify(await assertionWith({ header }, signer), [{ ...signer.jwk, alg }], asked)).toMatchObject({ ok: true })
    }
  }
})

test.each<[string, Change]>([
  ['the typ JWT', { header: { typ: 'JWT' } }],
  ['the typ of RFC 7523bis', { header: { typ: 'client-authentication+jwt' } }],
  ['a member that nobody knows', { header: { tx_id: 1 } }],
  ['an exp at the farthest', { claims: { exp: NOW + MAX_ASSERTION_LIFETIME + 10 } }],
  ['an exp a moment ago, by a clock that is behind', { claims: { exp: NOW - 9 } }],
  ['an exp with a fraction', { claims: { exp: NOW + 0.5 } }],
  ['an nbf 8 s ahead', { claims: { nbf: NOW + 8 } }],
  ['an iat 8 s ahead', { claims: { iat: NOW + 8 } }],
  ['no iat', { claims: { iat: undefined } }],
  ['other claims', { claims: { extra: { deep: [1] } } }],
])('taken: %s', async (_, change) => {
  expect(await verify(await assertionWith(change))).toMatchObject({ ok: true })
})

const refused: [string, Change, string][] = [
  ...['dpop+jwt', 'at+jwt', 'logout+jwt', 'secevent+jwt', '', null, 1].map((typ): [string, Change, string] => [
    `the typ ${typ}`,
    { header: { typ } },
    'typ',
  ]),
  ...[undefined, 'none', 'None', 'HS256', 'RS384', 'ES384', 'ES256K', '', null, ['ES256'], 'toString'].map(
    (alg): [string, Change, string] => [`the alg ${alg}`, { header: { alg } }, 'alg'],
  ),
  ...['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'cty'].map((name): [string, Change, string] => [
    `the header ${name}`,
    { header: { [name]: key.jwk } },
    'header',
  ]),
  ...['', 'x'.repeat(129), 1, {}].map((kid): [string, Change, string] => [
    `the kid ${String(kid).slice(0, 9)}`,
    { header: { kid } },
    'kid',
  ]),
  ...(['iss', 'sub'] as const).flatMap((name) =>
    [undefined, '', 'client-2', 'CLIENT-1', 'client-1 ', ['client-1'], 1, null].map((value): [string, Change, string] => [
      `the ${name} ${JSON.stringify(value)}`,
      { claims: { [name]: value } },
      name,
    ]),
  ),
  ...[
    undefined,
    '',
    [ISSUER],
    [ISSUER, 'https://evil.example'],
    [],
    `${ISSUER}/`,
    `${ISSUER}/oauth/token`,
    `${ISSUER}/oauth/par`,
    `${ISSUER} `,
    'https://AUTH.example.com',
    'http://auth.example.com',
    { [ISSUER]: true },
    '*',
    1,
    null,
  ].map((aud): [string, Change, string] => [`the aud ${JSON.stringify(aud)}`, { claims: { aud } }, 'aud']),
  ...[undefined, NOW - 10, NOW - 3600, 0, -1, String(NOW + 60), null, [NOW + 60], true].map((exp): [string, Change, string] => [
    `the exp ${exp}`,
    { claims: { exp } },
    'exp',
  ]),
  ...[NOW + MAX_ASSERTION_LIFETIME + 11, NOW + 3600, (NOW + 60) * 1000].map((exp): [string, Change, string] => [
    `the exp ${exp}`,
    { claims: { exp } },
    'exp is too far ahead',
  ]),
  ...(['nbf', 'iat'] as const).flatMap((name) =>
    [NOW + 11, NOW + 60, NOW * 1000, -1, String(NOW), null, {}].map((value): [string, Change, string] => [
      `the ${name} ${value}`,
      { claims: { [name]: value } },
      name,
    ]),
  ),
  ...[undefined, '', 'x'.repeat(257), 1, null, ['x']].map((jti): [string, Change, string] => [
    `the jti ${JSON.stringify(jti)?.slice(0, 9)}`,
    { claims: { jti } },
    'jti',
  ]),
]

test.each(refused)('refused: %s', async (_, change, reason) => {
  expect(read(await assertionWith(change))).toEqual({ ok: false, reason })
})

test('another client_assertion_type, or none, is refused', async () => {
  const client_assertion = await assertionWith({})
  for (const client_assertion_type of [
    undefined,
    '',
    `${ASSERTION_TYPE} `,
    ASSERTION_TYPE.toUpperCase(),
    'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
  ]) {
    const reading = readClientAssertion({ client_assertion_type, client_assertion }, client, ISSUER, NOW)
    expect(reading).toEqual({ ok: false, reason: 'client_assertion_type' })
  }
})

test('an algorithm that the client has not registered is refused', async () => {
  const { RS256: rsa } = keys
  if (rsa === undefined) throw new Error('no key')
  const asked = { ...client, token_endpoint_auth_signing_alg: 'PS256' }
  for (const signer of [key, rsa]) expect(await verify(await assertionWith({}, signer), [signer.jwk], asked)).toMatchObject({ ok: false })
  expect(await verify(await assertionWith({}), [key.jwk], { ...client, token_endpoint_auth_signing_alg: 'none' })).toMatchObject({
    ok: false,
  })
})

describe('the client’s keys', () => {
  test('another client’s assertion is refused, also with the right kid', async () => {
    const assertion = await assertionWith({ header: { kid: 'k1' } }, other)
    expect(await verify(assertion, [{ ...key.jwk, kid: 'k1' }])).toEqual({ ok: false, error: 'invalid', reason: 'signature' })
  })

  test.each<[string, readonly unknown[]]>([
    ['an empty set', []],
    ['a set without the kid', [{ ...key.jwk, kid: 'k2' }]],
    ['the key without its kid', [key.jwk]],
    ['a private key', [{ ...key.secret, kid: 'k1' }]],
    ['a key for encryption', [{ ...key.jwk, kid: 'k1', use: 'enc' }]],
    ['a key for another algorithm', [{ ...key.jwk, kid: 'k1', alg: 'ES384' }]],
    ['a symmetric key', [{ kty: 'oct', k: 'AAAA', kid: 'k1', alg: 'HS256' }]],
    ['no keys at all', [null, 'x', 1, [], {}, { kid: 'k1' }]],
  ])('%s answers that the key is unknown', async (_, set) => {
    expect(await verify(await assertionWith({ header: { kid: 'k1' } }), set)).toMatchObject({ ok: false, error: 'unknown_key' })
  })

  test('without a kid every fitting key is tried, up to four', async () => {
    const assertion = await assertionWith({})
    const four = await Promise.all([other, makeClientKey(), makeClientKey(), key])
    const set = (await Promise.all(four)).map(({ jwk }) => jwk)
    expect(await verify(assertion, set)).toMatchObject({ ok: true })
    expect(await verify(assertion, [keys.EdDSA?.jwk, keys.PS256?.jwk, ...set])).toMatchObject({ ok: true })
    expect(await verify(assertion, [other.jwk, ...set])).toMatchObject({ ok: false, error: 'invalid' })
    expect(await verify(assertion, [other.jwk])).toMatchObject({ ok: false, error: 'unknown_key' })
  })

  test('an EC key signed as RSA, and an RSA key of the other padding, are refused', async () => {
    const { RS256: rsa, PS256: pss } = keys
    if (rsa === undefined || pss === undefined) throw new Error('no key')
    const set = [{ ...rsa.jwk, kid: 'k1' }]
    expect(await verify(await assertionWith({ header: { kid: 'k1', alg: 'RS256' } }), set)).toMatchObject({ reason: 'signature' })
    expect(await verify(await assertionWith({ header: { kid: 'k1', alg: 'PS256' } }, rsa), set)).toMatchObject({ reason: 'signature' })
    const pinned = [{ ...pss.jwk, kid: 'k1', alg: 'PS256' }]
    expect(await verify(await assertionWith({ header: { kid: 'k1', alg: 'RS256' } }, pss), pinned)).toMatchObject({ ok: false })
  })
})

test('what is no compact JWS of two objects is refused', async () => {
  const good = await assertionWith({})
  const [head = '', body = '', signature = ''] = good.split('.')
  const texts = [
    ...[undefined, '', '.', '..', 'x', head, `${head}.${body}`, `${head}.${body}.`, `${good}.`, `${good}.x`, `${good}=`, ` ${good}`],
    ...[`${good}\n`, `${head}..${signature}`, 'x'.repeat(9000)],
    await signJws(key, { alg: 'ES256' }, '[]'),
    await signJws(
      key,
      { alg: 'ES256' },
      `{"iss":"client-1","iss":"client-1","sub":"client-1","aud":"${ISSUER}","exp":${NOW + 60},"jti":"x"}`,
    ),
    await signJws(key, '{"alg":"ES256","alg":"ES256"}', '{}'),
  ]
  for (const text of texts) expect(read(text)).toMatchObject({ ok: false })
})

test('1,500 seeded changes of good assertions: none is taken, none throws', async () => {
  const random = createRandom(7523)
  const signers = Object.values(keys)
  const set = signers.map(({ jwk, alg }) => ({ ...jwk, kid: alg }))
  const assertions = await Promise.all(signers.map((signer) => assertionWith({ header: { kid: signer.alg } }, signer)))
  for (const assertion of assertions) expect(await verify(assertion, set)).toMatchObject({ ok: true })
  const taken: string[] = []
  for (let count = 0; count < 1500; count++) {
    const { how, text } = mutated(random, random.pick(assertions))
    if ((await verify(text, set)).ok) taken.push(`${how}: ${text}`)
  }
  expect(taken).toEqual([])
})
