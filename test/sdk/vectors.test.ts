import { describe, expect, test } from 'vitest'
import { decodeBase64url } from '../../src/protocol/base64url.ts'
import { type Algorithm, parseJws } from '../../src/sdk/parse-token.ts'
import { ALGORITHMS, type AlgorithmTable, importVerificationKey, verifySignature } from '../../src/sdk/verify-signature.ts'
import { codeOf, Issuer, makeKey } from './issuer.ts'
import {
  bytesOf,
  cookbookTexts,
  groupsOf,
  haveVectors,
  type JweGroup,
  type Jwk,
  type JwsGroup,
  type KeySetGroup,
  publicJwkOf,
  type SignatureGroup,
  vectorTitle,
} from './vectors.ts'

const rsa = (name: string, hash: string, saltLength?: number) => ({
  kty: 'RSA' as const,
  parameters: { name, hash, ...(saltLength === undefined ? {} : { saltLength }) },
})

/** What the vectors need beside the three of production. */
const manyAlgorithms: AlgorithmTable = {
  ...ALGORITHMS,
  HS256: { kty: 'oct', parameters: { name: 'HMAC', hash: 'SHA-256' } },
  RS384: rsa('RSASSA-PKCS1-v1_5', 'SHA-384'),
  RS512: rsa('RSASSA-PKCS1-v1_5', 'SHA-512'),
  PS256: rsa('RSA-PSS', 'SHA-256', 32),
  PS384: rsa('RSA-PSS', 'SHA-384', 48),
  PS512: rsa('RSA-PSS', 'SHA-512', 64),
}

/** The key of a group, with the algorithm that the group is about. HMAC keys are imported here: the verifier never does. */
async function keyOf(group: JwsGroup) {
  const jwk = { ...(group.public ?? group.private), kid: 'test' }
  if (Reflect.get(jwk, 'kty') !== 'oct') return importVerificationKey(jwk, manyAlgorithms)
  const secret = decodeBase64url(String(Reflect.get(jwk, 'k')))
  if (secret === null) return null
  return { alg: 'HS256', key: await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']) }
}

/** Where the set contradicts itself: PS384 under a PS256 key, an algorithm that does not exist, `?` in base64url; and twins of valid ones. */
const wronglyValid = [346, 347, 350, 351, 372, 373]
const wronglyInvalid = [367, 370]

const withVectors = describe.skipIf(!haveVectors)

withVectors(vectorTitle('the Wycheproof JWS vectors'), () => {
  test('42 are accepted by the inner step and 359 refused, each as it should be', async () => {
    const accepted: number[] = []
    const expected: number[] = []
    let count = 0
    for (const group of await groupsOf<JwsGroup>('json_web_signature')) {
      const key = await keyOf(group)
      for (const { tcId, result, jws } of group.tests) {
        count++
        if (wronglyInvalid.includes(tcId) || (result === 'valid' && !wronglyValid.includes(tcId))) expected.push(tcId)
        const parsing = parseJws(jws)
        if (!parsing.ok || key === null) continue
        const { header, signed, signature } = parsing.jws
        if (await verifySignature(key, { alg: String(header.alg), signed, signature }, manyAlgorithms)) accepted.push(tcId)
      }
    }
    expect([accepted.length, count - accepted.length]).toEqual([42, 359])
    expect(accepted).toEqual(expected)
  })

  test('none of the 401 passes the verifier, whose issuer has all their keys', async () => {
    const groups = await groupsOf<JwsGroup>('json_web_signature')
    const codes: string[] = []
    for (const group of groups) {
      const issuer = await issuerWith([group.public ?? group.private ?? {}])
      const verifier = issuer.verifier()
      for (const { jws } of group.tests) codes.push(await codeOf(verifier.verifyToken(jws)))
    }
    expect([codes.length, new Set(codes)]).toEqual([401, new Set(['token_invalid'])])
  })

  test('the algorithms of production are three', () => {
    expect(Object.keys(ALGORITHMS)).toEqual(['ES256', 'EdDSA', 'RS256'])
  })
})

/** An issuer that publishes good and bad keys. */
async function issuerWith(keys: Jwk[]): Promise<Issuer> {
  const issuer = new Issuer(await makeKey('own'))
  issuer.keys = [...keys, issuer.signingKey.jwk]
  return issuer
}

withVectors(vectorTitle('the Wycheproof key sets'), () => {
  test('only the two sound public keys are imported', async () => {
    const imported: string[] = []
    for (const group of await groupsOf<KeySetGroup>('json_web_key')) {
      for (const key of [...(group.public?.keys ?? []), ...(group.private?.keys ?? [])]) {
        if ((await importVerificationKey(key)) !== null) imported.push(group.comment)
      }
    }
    // Weak, private, symmetric, for another use or off the curve: none of the others.
    expect(imported).toEqual(['jws_mixedSymmetryKeyset', 'rs256'])
  })

  test('no token of theirs passes the verifier', async () => {
    const codes = new Set<string>()
    for (const group of await groupsOf<KeySetGroup>('json_web_key')) {
      const verifier = (await issuerWith(group.public?.keys ?? group.private?.keys ?? [])).verifier()
      for (const { jws } of group.tests) codes.add(await codeOf(verifier.verifyToken(jws)))
    }
    expect(codes).toEqual(new Set(['token_invalid']))
  })
})

const textOf = (token: unknown): string => (typeof token === 'string' ? token : JSON.stringify(token))

withVectors(vectorTitle('what is no compact JWS'), () => {
  test.each(['json_web_encryption', 'json_web_crypto'])('%s: every token is refused', async (name) => {
    const verifier = (await issuerWith([])).verifier()
    const codes: string[] = []
    for (const group of await groupsOf<JweGroup>(name)) {
      for (const { jwe, jws } of group.tests) codes.push(await codeOf(verifier.verifyToken(textOf(jwe ?? jws))))
    }
    expect(codes.length).toBe(name === 'json_web_encryption' ? 139 : 83)
    expect(new Set(codes)).toEqual(new Set(['token_invalid']))
  })

  test('nothing in the JOSE cookbook is an access token: JSON, detached, unencoded or many signatures', async () => {
    const verifier = (await issuerWith([])).verifier()
    const files = await cookbookTexts()
    expect(Object.keys(files)).toHaveLength(18)
    for (const [file, texts] of Object.entries(files)) {
      for (const text of texts) expect([file, await codeOf(verifier.verifyToken(text))]).toEqual([file, 'token_invalid'])
    }
  })
})

withVectors(vectorTitle('the primitives'), () => {
  test.each<[string, Algorithm, { good: number; bad: number; refusedKeys: number }]>([
    ['ecdsa_secp256r1_sha256_p1363', 'ES256', { good: 173, bad: 89, refusedKeys: 0 }],
    ['ed25519', 'EdDSA', { good: 88, bad: 63, refusedKeys: 0 }],
    // One of the bad is "acceptable" to the vectors; the refused keys have the exponent 3.
    ['rsa_signature_2048_sha256', 'RS256', { good: 7, bad: 250, refusedKeys: 2 }],
  ])('%s: exact, without an exception', async (name, alg, expected) => {
    const { parameters, signature } = ALGORITHMS[alg]
    const counts = { good: 0, bad: 0, refusedKeys: 0 }
    for (const group of await groupsOf<SignatureGroup>(name)) {
      const key = await importVerificationKey({ ...publicJwkOf(group), kid: 'test', alg })
      for (const { tcId, result, msg, sig } of group.tests) {
        const bytes = bytesOf(sig)
        if (key === null) counts.refusedKeys++
        else {
          // As `verifySignature` does, on bytes: tokens are ASCII, and messages here are not.
          const fits = signature === undefined || bytes.length === signature
          const verifies = fits && (await crypto.subtle.verify(parameters, key.key, bytes, bytesOf(msg)))
          if (result !== 'acceptable') expect([tcId, verifies]).toEqual([tcId, result === 'valid'])
          counts[verifies ? 'good' : 'bad']++
        }
      }
    }
    expect(counts).toEqual(expected)
  })
})
