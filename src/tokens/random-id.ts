import { encodeBase64url } from '../protocol/base64url.ts'

/** A new id (`sub`, `sid`, `jti`, `grant_id`): 128 random bits, 22 base64url characters. */
export function randomId(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(16)))
}
