// The keys with which clients prove who they are: their algorithms (RFC 7518 3.1, RFC 8037, RFC 9864) and thumbprints (RFC 7638).

import { encodeBase64url } from '../protocol/base64url.ts'
import { ALGORITHMS, type AlgorithmTable, importVerificationKey, type VerificationKey } from './verify-signature.ts'

/** What a client may sign with. RS256 is for client assertions alone; DPoP leaves it out. */
export const PROOF_ALGORITHMS: AlgorithmTable = {
  ...ALGORITHMS,
  PS256: { kty: 'RSA', parameters: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 } },
}

/** The name that stands in the table: `Ed25519` says the same as `EdDSA` on this curve (RFC 9864 2.2). Null: none of ours. */
export function proofAlgorithm(alg: unknown): string | null {
  if (alg === 'Ed25519') return 'EdDSA'
  return typeof alg === 'string' && Object.hasOwn(PROOF_ALGORITHMS, alg) ? alg : null
}

/** Each is in some private or symmetric key, and in no public one (RFC 7518 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

/**
 * A client's public key, ready to verify `alg` (one of the table). Null when it is private, symmetric, weak, or meant for something else:
 * another use, operation or algorithm. `kid` and `alg` are optional in it.
 */
export async function importProofKey(jwk: unknown, alg: string): Promise<VerificationKey | null> {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return null
  if (privateMembers.some((name) => Object.hasOwn(jwk, name))) return null
  if ('alg' in jwk && jwk.alg !== undefined && proofAlgorithm(jwk.alg) !== alg) return null
  return importVerificationKey({ ...jwk, kid: 'proof', alg }, PROOF_ALGORITHMS)
}

/** The members that make a key, in the order of RFC 7638 3.2. */
const materials: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
}

/** SHA-256 over the canonical JSON of what makes the key (RFC 7638 3), as base64url. Null for what is no public key of a type we know. */
export async function jwkThumbprint(jwk: unknown): Promise<string | null> {
  const members = new Map<string, unknown>(typeof jwk === 'object' && jwk !== null ? Object.entries(jwk) : [])
  const kty = members.get('kty')
  const names = typeof kty === 'string' && Object.hasOwn(materials, kty) ? materials[kty] : undefined
  if (!names?.every((name) => typeof members.get(name) === 'string')) return null
  return sha256(JSON.stringify(Object.fromEntries(names.map((name) => [name, members.get(name)]))))
}

/** SHA-256 of a text as UTF-8, in base64url. */
export async function sha256(text: string): Promise<string> {
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}
