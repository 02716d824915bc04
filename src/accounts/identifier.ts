/**
 * Identifiers: what a person types to say who they are. Normalised here, once, before anything looks at one: what is checked, hashed,
 * looked up and mailed is one and the same string (Auth.js GHSA-7rqj checked before it normalised).
 */
import isEmail from 'validator/es/lib/isEmail.js'

/** RFC 5321, 4.5.3.1.3: the longest path, less its angle brackets. In UTF-16 units, after normalisation. */
export const MAX_EMAIL_LENGTH = 254

/** How many shards hold the identifiers; part of where each one is stored, so never changed. */
export const IDENTIFIER_SHARDS = 256

/** NFKC, lower case, trimmed (Unicode NFKC_Casefold, less the characters that an address cannot have). Null: not an e-mail address. */
export function normalizeEmail(typed: string): string | null {
  if (typed.length > 4 * MAX_EMAIL_LENGTH || !typed.isWellFormed()) return null
  const email = typed.normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  return email.length <= MAX_EMAIL_LENGTH && isEmail(email, { allow_utf8_local_part: true }) ? email : null
}

/** Where an identifier lives: its SHA-256, and the shard named by the digest's first byte. Fixed: no secret that rotates is in it. */
export async function locateIdentifier(email: string): Promise<{ shard: string; digest: ArrayBuffer }> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`email:${email}`))
  return { shard: `shard-${new Uint8Array(digest)[0] ?? 0}`, digest }
}
