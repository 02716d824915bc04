import { readSipHashKey, type SipHashKey } from '../protocol/siphash.ts'

/**
 * The secrets of `SALLYPORT_SECRET`, newest first, and the keys derived from each (HKDF-SHA-256, RFC 5869):
 * one for the MAC of opaque tokens, one that wraps signing keys at rest. Everything made with a secret names it by `id`,
 * so that secrets can be rotated: the newest makes, every listed one still opens.
 */
export type RingSecret = {
  /** 8 hex digits, derived from the secret; safe to store and to show. */
  id: string
  mac: CryptoKey
  wrap: CryptoKey
  /** For digests that are compared and never authenticate anything. */
  digest: SipHashKey
}

export type SecretRing = {
  newest: RingSecret
  /** The secret that made something, or undefined when it has been taken out of the ring. */
  find(id: string): RingSecret | undefined
}

const text = new TextEncoder()

async function derive(secret: string): Promise<RingSecret> {
  const base = await crypto.subtle.importKey('raw', text.encode(secret), 'HKDF', false, ['deriveBits', 'deriveKey'])
  const hkdf = (info: string) => ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: text.encode(`sallyport/v1/${info}`) })
  const [id, mac, wrap, digest] = await Promise.all([
    crypto.subtle.deriveBits(hkdf('id'), base, 32),
    crypto.subtle.deriveKey(hkdf('mac'), base, { name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign', 'verify']),
    crypto.subtle.deriveKey(hkdf('wrap'), base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    crypto.subtle.deriveBits(hkdf('digest'), base, 128),
  ])
  return {
    id: Array.from(new Uint8Array(id), (byte) => byte.toString(16).padStart(2, '0')).join(''),
    mac,
    wrap,
    digest: readSipHashKey(new Uint8Array(digest)),
  }
}

/** Derives every key of the ring; `secrets` is newest first and not empty (config.ts has checked). */
export async function openSecretRing(secrets: readonly string[]): Promise<SecretRing> {
  const ring = await Promise.all(secrets.map(derive))
  const newest = ring[0]
  if (!newest) throw new TypeError('a secret ring needs at least one secret')
  return { newest, find: (id) => ring.find((secret) => secret.id === id) }
}
