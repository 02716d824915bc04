// Public keys and the signatures they verify (RFC 7515 5.2, RFC 7517 4, RFC 8725 3.1): the key fixes the algorithm, never the token.

import { decodeBase64url } from '../protocol/base64url.ts'
import { type Algorithm, isKid, type ParsedJws } from './parse-token.ts'

/** A public key ready to verify. `source` is equal for equal keys. */
export type VerificationKey = { kid: string; alg: string; key: CryptoKey; source: string }

/**
 * What makes keys and signatures of one algorithm: the members of its JWK, those that are coordinates with their length in bytes, and the
 * length of a signature where it has one.
 */
export type AlgorithmRow = {
  kty: 'EC' | 'OKP' | 'RSA' | 'oct'
  crv?: string
  coordinates?: Readonly<Record<string, number>>
  signature?: number
  parameters: { name: string; namedCurve?: string; hash?: string; saltLength?: number }
}

export type AlgorithmTable = Readonly<Record<string, AlgorithmRow>>

/** The three algorithms there are. A table is an argument below only so that tests can bring vectors of others. */
export const ALGORITHMS: Readonly<Record<Algorithm, AlgorithmRow>> = {
  ES256: {
    kty: 'EC',
    crv: 'P-256',
    coordinates: { x: 32, y: 32 },
    signature: 64,
    parameters: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', coordinates: { x: 32 }, signature: 64, parameters: { name: 'Ed25519' } },
  RS256: { kty: 'RSA', parameters: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } },
}

const encoder = new TextEncoder()

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
/** One of these is in every private or symmetric key. */
const privateMembers = ['d', 'p', 'q', 'k', 'priv']

/**
 * Imports a public JSON Web Key for signatures: EC P-256 (ES256), OKP Ed25519 (EdDSA) or RSA of 2048 to 8192 bits (RS256), with `alg` and
 * `kid`. Null for any other key: symmetric, with a private member, for another use, with a weak exponent or modulus.
 */
export async function importVerificationKey(jwk: object, table: AlgorithmTable = ALGORITHMS): Promise<VerificationKey | null> {
  const members = new Map<string, unknown>(Object.entries(jwk))
  const kid = members.get('kid')
  const alg = members.get('alg')
  const use = members.get('use') ?? 'sig'
  const operations = members.get('key_ops') ?? ['verify']
  if (!isKid(kid)) return null
  if (use !== 'sig' || !Array.isArray(operations) || !operations.includes('verify')) return null
  if (privateMembers.some((name) => members.has(name))) return null
  if (typeof alg !== 'string' || !Object.hasOwn(table, alg)) return null
  const row = table[alg]
  const material = row && readMaterial(members, row)
  if (!row || !material) return null
  try {
    // Only the checked members go in: nothing else in the key can change what is imported.
    const key = await crypto.subtle.importKey('jwk', material, row.parameters, false, ['verify'])
    return { kid, alg, key, source: JSON.stringify([kid, alg, material]) }
  } catch {
    return null
  }
}

/** Whether the signature is good under this key. Never throws. */
export async function verifySignature(
  key: Pick<VerificationKey, 'alg' | 'key'>,
  token: Pick<ParsedJws, 'signed' | 'signature'> & { alg: string },
  table: AlgorithmTable = ALGORITHMS,
): Promise<boolean> {
  const row = table[key.alg]
  if (row === undefined || key.alg !== token.alg) return false
  // The runtime throws on an Ed25519 signature of another length.
  if (row.signature !== undefined && token.signature.length !== row.signature) return false
  try {
    return await crypto.subtle.verify(row.parameters, key.key, token.signature, encoder.encode(token.signed))
  } catch {
    return false
  }
}

type Material = { kty: string; crv?: string } & Record<string, string>

function readMaterial(members: ReadonlyMap<string, unknown>, row: AlgorithmRow): Material | null {
  const { kty, crv, coordinates } = row
  if (members.get('kty') !== kty || members.get('crv') !== crv) return null
  const material: Material = crv === undefined ? { kty } : { kty, crv }
  for (const name of coordinates === undefined ? ['n', 'e'] : Object.keys(coordinates)) {
    const text = members.get(name)
    if (typeof text !== 'string' || text.length > MAX_RSA_BITS / 4) return null
    const bytes = decodeBase64url(text)
    if (bytes === null) return null
    if (coordinates === undefined ? !(name === 'n' ? isSoundModulus(bytes) : isSoundExponent(bytes)) : bytes.length !== coordinates[name]) {
      return null
    }
    material[name] = text
  }
  return material
}

/** Of the right size, odd, and not of the shape that a broken generator gave to millions of keys. */
function isSoundModulus(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0
  const last = bytes.at(-1) ?? 0
  const bits = bytes.length * 8 - Math.clz32(first) + 24
  return first !== 0 && (last & 1) === 1 && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS && !hasRocaShape(bytes)
}

const rocaPrimes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]

/** The fingerprint of CVE-2017-15361: the modulus is a power of 65537 modulo each of these primes. A sound key looks so once in 2^27. */
function hasRocaShape(modulus: Uint8Array): boolean {
  return rocaPrimes.every((prime) => {
    const rest = modulus.reduce((value, byte) => (value * 256 + byte) % prime, 0)
    let power = 1
    do power = (power * 65537) % prime
    while (power !== 1 && power !== rest)
    return power === rest
  })
}

/** Odd and at least 65537: with e = 1 anyone can sign, and small exponents have a history. */
function isSoundExponent(bytes: Uint8Array): boolean {
  if (bytes.length > 4 || (bytes[0] ?? 0) === 0) return false
  const exponent = bytes.reduce((value, byte) => value * 256 + byte, 0)
  return exponent >= 65537 && exponent % 2 === 1
}
