import { encodeBase64url } from '../../src/protocol/base64url.ts'

const utf8 = new TextEncoder()
const RSA = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' }

const generation = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', ...RSA },
  PS256: { name: 'RSA-PSS', ...RSA },
} as const

const signing = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
} as const

export type ProofAlg = keyof typeof generation
export type Members = Record<string, unknown>
/** A client's key; `jwk` is the public half without `kid` and `alg`, `secret` the whole. */
export type ClientKey = { alg: ProofAlg; privateKey: CryptoKey; jwk: Members; secret: Members }

export async function makeClientKey(alg: ProofAlg = 'ES256'): Promise<ClientKey> {
  const pair = await crypto.subtle.generateKey(generation[alg], true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('no key pair')
  const { kty, crv, x, y, n, e } = Object.fromEntries(Object.entries(await crypto.subtle.exportKey('jwk', pair.publicKey)))
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined)
  const { alg: _, key_ops, ext, ...secret } = Object.fromEntries(Object.entries(await crypto.subtle.exportKey('jwk', pair.privateKey)))
  return { alg, privateKey: pair.privateKey, jwk: Object.fromEntries(members), secret }
}

const part = (value: unknown): string => encodeBase64url(utf8.encode(typeof value === 'string' ? value : JSON.stringify(value)))

/** A compact JWS over any header and payload, signed well; a string stands for itself. */
export async function signJws(key: ClientKey, header: unknown, payload: unknown): Promise<string> {
  const signed = `${part(header)}.${part(payload)}`
  const signature = await crypto.subtle.sign(signing[key.alg], key.privateKey, utf8.encode(signed))
  return `${signed}.${encodeBase64url(new Uint8Array(signature))}`
}

const changed = (members: Members, changes: Members): Members =>
  Object.fromEntries(Object.entries({ ...members, ...changes }).filter(([, value]) => value !== undefined))

export type Change = { header?: Members; claims?: Members }
export type Proven = { method: string; url: string; now: number; accessToken?: string | undefined }

export async function athOf(accessToken: string): Promise<string> {
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(accessToken))))
}

/** A DPoP proof; a change to `undefined` leaves the member out. */
export async function makeProof(key: ClientKey, { method, url, now, accessToken }: Proven, change: Change = {}): Promise<string> {
  const ath = accessToken === undefined ? undefined : await athOf(accessToken)
  const claims = { jti: crypto.randomUUID(), htm: method, htu: url, iat: now, ath }
  return signJws(key, changed({ typ: 'dpop+jwt', alg: key.alg, jwk: key.jwk }, change.header ?? {}), changed(claims, change.claims ?? {}))
}

/** A client assertion. */
export function makeAssertion(
  key: ClientKey,
  { client_id, issuer, now }: { client_id: string; issuer: string; now: number },
  change: Change = {},
): Promise<string> {
  const claims = { iss: client_id, sub: client_id, aud: issuer, exp: now + 60, iat: now, jti: crypto.randomUUID() }
  return signJws(key, changed({ alg: key.alg }, change.header ?? {}), changed(claims, change.claims ?? {}))
}
