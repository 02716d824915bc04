import { expect, test } from 'vitest'
import { decodeBase64url, encodeBase64url } from '../../src/protocol/base64url.ts'
import { type Algorithm, parseToken } from '../../src/sdk/parse-token.ts'
import { importVerificationKey, verifySignature } from '../../src/sdk/verify-signature.ts'
import { type Alg, claimsAt, makeKey, START, signToken } from './issuer.ts'

const keys = { ES256: await makeKey('e', 'ES256'), EdDSA: await makeKey('d', 'EdDSA'), RS256: await makeKey('r', 'RS256') }
const algs: Alg[] = ['ES256', 'EdDSA', 'RS256']

async function imported(jwk: object) {
  const key = await importVerificationKey(jwk)
  if (key === null) throw new Error('the key was refused')
  return key
}

function parsed(token: string, algorithms: readonly Algorithm[] = algs) {
  const parsing = parseToken(token, algorithms)
  if (!parsing.ok) throw new Error(parsing.reason)
  return parsing.token
}

const tokenOf = (alg: Alg) => signToken(keys[alg], { alg, kid: keys[alg].kid, typ: 'at+jwt' }, claimsAt(START), alg)

test.each(algs)('a good %s signature verifies, a changed payload or signature does not', async (alg) => {
  const key = await imported(keys[alg].jwk)
  const token = parsed(await tokenOf(alg))
  expect(await verifySignature(key, token)).toBe(true)
  expect(await verifySignature(key, { ...token, signed: `${token.signed}x` })).toBe(false)
  for (const at of [0, 31, 32, 63]) {
    const signature = token.signature.slice()
    signature[at] = (signature[at] ?? 0) ^ 1
    expect(await verifySignature(key, { ...token, signature })).toBe(false)
  }
})

test.each(algs)('%s signatures of another length are refused without an exception', async (alg) => {
  const key = await imported(keys[alg].jwk)
  const token = parsed(await tokenOf(alg))
  const doubled = new Uint8Array([...token.signature, ...token.signature])
  for (const signature of [new Uint8Array(0), token.signature.slice(1), token.signature.slice(0, 63), doubled, new Uint8Array(64)]) {
    expect(await verifySignature(key, { ...token, signature })).toBe(false)
  }
})

test('an ECDSA signature in DER is refused', async () => {
  const token = parsed(await tokenOf('ES256'))
  const half = (from: number): number[] => [0x02, 0x21, 0x00, ...token.signature.slice(from, from + 32)]
  const der = Uint8Array.from([0x30, 0x46, ...half(0), ...half(32)])
  expect(await verifySignature(await imported(keys.ES256.jwk), { ...token, signature: der })).toBe(false)
})

test('the key fixes the algorithm: a token that names another is refused', async () => {
  for (const alg of algs) {
    for (const other of algs.filter((name) => name !== alg)) {
      const token = parsed(await tokenOf(other))
      expect(await verifySignature(await imported(keys[alg].jwk), token)).toBe(false)
      expect(await verifySignature(await imported(keys[alg].jwk), { ...token, alg })).toBe(false)
    }
  }
})

test.each(algs)('a %s key without use is imported, only as a public key', async (alg) => {
  const key = await imported({ ...keys[alg].jwk, use: undefined, ext: false, key_ops: ['verify'], x5c: ['x'] })
  expect(key.key.type).toBe('public')
  expect(await verifySignature(key, parsed(await tokenOf(alg)))).toBe(true)
})

const modulus = decodeBase64url(String(keys.RS256.jwk.n)) ?? new Uint8Array()
const n = (bytes: Uint8Array): string => encodeBase64url(bytes)

test.each([
  ['no kid', { ...keys.ES256.jwk, kid: undefined }],
  ['an empty kid', { ...keys.ES256.jwk, kid: '' }],
  ['no alg', { ...keys.ES256.jwk, alg: undefined }],
  ['the alg of another type', { ...keys.ES256.jwk, alg: 'RS256' }],
  ['the alg ES384', { ...keys.ES256.jwk, alg: 'ES384' }],
  ['a key to sign with', { ...keys.ES256.jwk, key_ops: ['sign'] }],
  ['operations that are no list', { ...keys.ES256.jwk, key_ops: 'verify' }],
  ['an encryption key', { ...keys.ES256.jwk, use: 'enc' }],
  ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', kid: 'h', alg: 'HS256' }],
  ['a private key', { ...keys.ES256.jwk, d: keys.ES256.jwk.x }],
  ['a private RSA key', { ...keys.RS256.jwk, p: 'AQ' }],
  ['another curve', { ...keys.ES256.jwk, crv: 'P-384' }],
  ['Ed448', { ...keys.EdDSA.jwk, crv: 'Ed448' }],
  ['X25519', { ...keys.EdDSA.jwk, crv: 'X25519' }],
  ['a point that is not on the curve', { ...keys.ES256.jwk, y: keys.ES256.jwk.x }],
  ['a short coordinate', { ...keys.ES256.jwk, x: 'AQAB' }],
  ['a padded coordinate', { ...keys.ES256.jwk, x: `${keys.ES256.jwk.x}=` }],
  ['a long Ed25519 key', { ...keys.EdDSA.jwk, x: encodeBase64url(new Uint8Array(33)) }],
  ['the exponent 1', { ...keys.RS256.jwk, e: 'AQ' }],
  ['the exponent 3', { ...keys.RS256.jwk, e: 'Aw' }],
  ['an even exponent', { ...keys.RS256.jwk, e: encodeBase64url(Uint8Array.of(1, 0, 2)) }],
  ['an exponent with a leading zero', { ...keys.RS256.jwk, e: encodeBase64url(Uint8Array.of(0, 1, 0, 1)) }],
  ['a modulus of 1024 bits', { ...keys.RS256.jwk, n: n(modulus.slice(128)) }],
  ['a modulus of 2040 bits', { ...keys.RS256.jwk, n: n(modulus.slice(1)) }],
  ['a modulus with a leading zero', { ...keys.RS256.jwk, n: n(Uint8Array.from([0, ...modulus])) }],
  ['a modulus of 16384 bits', { ...keys.RS256.jwk, n: n(new Uint8Array(2048).fill(255)) }],
  ['no material', { kty: 'EC', crv: 'P-256', kid: 'e', alg: 'ES256' }],
])('%s is not imported', async (_name, jwk) => {
  expect(await importVerificationKey(jwk)).toBeNull()
})
