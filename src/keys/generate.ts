import { exportJWK } from 'jose'
import { randomId } from '../tokens/random-id.ts'
import type { PublicJwk, SigningAlgorithm, WrappedKey } from './key.ts'
import type { SecretRing } from './secret-ring.ts'

/** WebCrypto's names for our algorithms: to make, to import, to sign with. */
export const WEB_CRYPTO: Readonly<Record<SigningAlgorithm, { name: string; namedCurve?: string; hash?: string }>> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
}

const RSA = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }

export type GeneratedKey = WrappedKey & { kid: string; alg: SigningAlgorithm; public_jwk: PublicJwk }

const kidBytes = (kid: string) => new TextEncoder().encode(kid)

/** A new key pair: the public half as a JWK, the private half wrapped at once; in clear it exists only inside this function. */
export async function generateKey(alg: SigningAlgorithm, ring: SecretRing): Promise<GeneratedKey> {
  const pair = await crypto.subtle.generateKey({ ...WEB_CRYPTO[alg], ...(alg === 'RS256' ? RSA : {}) }, true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError(`${alg} did not give a key pair`)
  const kid = randomId()
  const { kty, crv, x, y, n, e } = await exportJWK(pair.publicKey)
  if (!kty) throw new TypeError('a JWK has a kty')
  const members = JSON.parse(JSON.stringify({ crv, x, y, n, e })) as JsonWebKey
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', pair.privateKey)
  if (!(pkcs8 instanceof ArrayBuffer)) throw new TypeError('PKCS #8 is bytes')
  return { kid, alg, public_jwk: { ...members, kty, kid, alg, use: 'sig' }, ...(await wrapKey(pkcs8, kid, ring)) }
}

/** Wraps a private key with the newest secret. */
export async function wrapKey(pkcs8: ArrayBuffer, kid: string, ring: SecretRing): Promise<WrappedKey> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const wrapped = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: kidBytes(kid) }, ring.newest.wrap, pkcs8)
  return { wrapped, iv: iv.buffer, secret_id: ring.newest.id }
}

/** The private key in clear, or null when no secret of the ring opens it. */
export async function unwrapKey(key: WrappedKey & { kid: string }, ring: SecretRing): Promise<ArrayBuffer | null> {
  const secret = ring.find(key.secret_id)
  if (!secret) return null
  const algorithm = { name: 'AES-GCM', iv: key.iv, additionalData: kidBytes(key.kid) }
  try {
    return await crypto.subtle.decrypt(algorithm, secret.wrap, key.wrapped)
  } catch {
    return null
  }
}
