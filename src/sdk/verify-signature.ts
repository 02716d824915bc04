// Public keys and the signatures they verify (RFC 7515 5.2, RFC 7517 4, RFC 8725 3.1): the key fixes the algorithm, never the token.

import { decodeBase64url } from '../protocol/base64url.ts'
import { type Algorithm, MAX_KID_LENGTH, type ParsedToken } from './parse-token.ts'

/** A public key ready to verify. `source` is equal for equal keys. */
export type VerificationKey = { kid: string; alg: Algorithm; key: CryptoKey; source: string }

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

const parameters = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
} as const satisfies Record<Algorithm, { name: string; namedCurve?: string; hash?: string }>

/**
 * Imports a public JSON Web Key for signatures: EC P-256 (ES256), OKP Ed25519 (EdDSA) or RSA of 2048 to 8192 bits (RS256), with `alg` and
 * `kid`. Null for any other key: symmetric, with a private member, for encryption, with a weak exponent.
 */
export async function importVerificationKey(jwk: object): Promise<VerificationKey | null> {
  const members = new Map<string, unknown>(Object.entries(jwk))
  const kid = members.get('kid')
  const use = members.get('use')
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) return null
  if (use !== undefined && use !== 'sig') return null
  if (privateMembers.some((name) => members.has(name))) return null
  const material = readMaterial(members)
  if (material === null) return null
  try {
    // Only the checked members go in: nothing else in the key can change what is imported.
    const key = await crypto.subtle.importKey('jwk', material.jwk, parameters[material.alg], false, ['verify'])
    return { kid, alg: material.alg, key, source: JSON.stringify([kid, material.alg, material.jwk]) }
  } catch {
    return null
  }
}

/** Whether the token's signature is good under this key. Never throws. */
export async function verifySignature(key: VerificationKey, token: ParsedToken): Promise<boolean> {
  if (key.alg !== token.alg) return false
  // The runtime throws on an Ed25519 signature of another length.
  if (key.alg !== 'RS256' && token.signature.length !== 64) return false
  try {
    return await crypto.subtle.verify(parameters[key.alg], key.key, token.signature, new TextEncoder().encode(token.signed))
  } catch {
    return false
  }
}

type PublicJwk =
  | { kty: 'EC'; crv: 'P-256'; x: string; y: string }
  | { kty: 'OKP'; crv: 'Ed25519'; x: string }
  | { kty: 'RSA'; n: string; e: string }

function readMaterial(members: ReadonlyMap<string, unknown>): { alg: Algorithm; jwk: PublicJwk } | null {
  const kty = members.get('kty')
  const alg = members.get('alg')
  const crv = members.get('crv')
  if (kty === 'EC' && alg === 'ES256' && crv === 'P-256') {
    const x = readBytes(members.get('x'))
    const y = readBytes(members.get('y'))
    return x?.bytes.length === 32 && y?.bytes.length === 32 ? { alg, jwk: { kty, crv, x: x.text, y: y.text } } : null
  }
  if (kty === 'OKP' && alg === 'EdDSA' && crv === 'Ed25519') {
    const x = readBytes(members.get('x'))
    return x?.bytes.length === 32 ? { alg, jwk: { kty, crv, x: x.text } } : null
  }
  if (kty === 'RSA' && alg === 'RS256') {
    const n = readBytes(members.get('n'))
    const e = readBytes(members.get('e'))
    if (n === null || e === null || !isSoundModulus(n.bytes) || !isSoundExponent(e.bytes)) return null
    return { alg, jwk: { kty, n: n.text, e: e.text } }
  }
  return null
}

function readBytes(value: unknown): { text: string; bytes: Uint8Array } | null {
  if (typeof value !== 'string' || value.length > MAX_RSA_BITS / 4) return null
  const bytes = decodeBase64url(value)
  return bytes === null ? null : { text: value, bytes }
}

function isSoundModulus(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0
  const last = bytes.at(-1) ?? 0
  const bits = (bytes.length - 1) * 8 + (32 - Math.clz32(first))
  return first !== 0 && (last & 1) === 1 && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
}

/** Odd and at least 65537: with e = 1 anyone can sign, and small exponents have a history. */
function isSoundExponent(bytes: Uint8Array): boolean {
  if (bytes.length > 4 || (bytes[0] ?? 0) === 0) return false
  const exponent = bytes.reduce((value, byte) => value * 256 + byte, 0)
  return exponent >= 65537 && exponent % 2 === 1
}
