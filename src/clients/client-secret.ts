import { decodeBase64url, encodeBase64url } from '../protocol/base64url.ts'
import type { ClientSecret } from './client.ts'

/** A new client secret: 256 random bits behind `sps_`, by which scanners of repositories know it. */
export function makeClientSecret(): string {
  return `sps_${encodeBase64url(crypto.getRandomValues(new Uint8Array(32)))}`
}

const encoder = new TextEncoder()

const digestOf = (secret: string): Promise<ArrayBuffer> => crypto.subtle.digest('SHA-256', encoder.encode(secret))

/** What is stored of a secret or a registration access token: base64url of SHA-256. Random bits need no slow hash. */
export async function hashClientSecret(secret: string): Promise<string> {
  return encodeBase64url(new Uint8Array(await digestOf(secret)))
}

/** Whether a hash is of this form. */
export const isSecretHash = (text: string): boolean => decodeBase64url(text)?.length === 32

const isAlive = ({ expires_at }: ClientSecret, now: number): boolean => expires_at === null || now < expires_at

/** The secrets that still prove something; `now` in integer seconds. */
export const livingSecrets = (secrets: readonly ClientSecret[], now: number): ClientSecret[] => secrets.filter((it) => isAlive(it, now))

/** Whether what was given is one of a client's living secrets. All are compared, digests in constant time. */
export async function isClientSecret(secrets: readonly ClientSecret[], given: string, now: number): Promise<boolean> {
  const digest = await digestOf(given)
  let found = false
  for (const { hash } of livingSecrets(secrets, now)) {
    const expected = decodeBase64url(hash)
    if (expected?.length === digest.byteLength && crypto.subtle.timingSafeEqual(expected, digest)) found = true
  }
  return found
}
