/**
 * Identifiers: what a person types to say who they are. Normalised here, once, before anything looks at one: what is checked, hashed,
 * looked up and mailed is one and the same string (Auth.js GHSA-7rqj checked before it normalised).
 */
import isEmail from 'validator/es/lib/isEmail.js'
import { encodeBase64url } from '../protocol/base64url.ts'

/** RFC 5321, 4.5.3.1.3: the longest path, less its angle brackets. In UTF-16 units, after normalisation. */
export const MAX_EMAIL_LENGTH = 254

/** How many shards hold the identifiers; part of where each one is stored, so never changed. */
export const IDENTIFIER_SHARDS = 256

/** Characters that are not seen, or that turn the others round: two addresses would look like one. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cc}]/u

/**
 * NFKC, lower case, trimmed; the domain as the ASCII that mail goes to (UTS 46). Null: not an e-mail address, or one that only looks like
 * another (unseen characters, a quoted local part).
 */
export function normalizeEmail(typed: string): string | null {
  if (typed.length > 4 * MAX_EMAIL_LENGTH || !typed.isWellFormed()) return null
  const folded = typed.trim().normalize('NFKC').toLowerCase().normalize('NFKC').trim()
  const at = folded.lastIndexOf('@')
  const domain = folded.slice(at + 1)
  if (at < 1 || folded.startsWith('"') || UNSEEN.test(folded) || /[^\p{L}\p{M}\p{N}.-]/u.test(domain) || !URL.canParse(`http://${domain}`))
    return null
  const email = `${folded.slice(0, at)}@${new URL(`http://${domain}`).hostname}`
  return email.length <= MAX_EMAIL_LENGTH && isEmail(email, { allow_utf8_local_part: true }) ? email : null
}

/** `decoy` and `counter`: the object that stands in for an address without an account, and the counter of its tries there. */
export type Location = { shard: string; digest: ArrayBuffer; decoy: string; counter: string }

/** Where an identifier lives: its SHA-256, and the shard named by the digest's first byte. Fixed: no secret that rotates is in it. */
export async function locateIdentifier(email: string): Promise<Location> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`email:${email}`))
  const bytes = new Uint8Array(digest)
  return { shard: `shard-${bytes[0] ?? 0}`, digest, decoy: `decoy-${bytes[1] ?? 0}`, counter: encodeBase64url(bytes) }
}
