import { decodeBase64url } from '../protocol/base64url.ts'
import { COMMON_PASSWORDS } from './common-passwords.ts'

/** Code points of the shortest and the longest entry. */
export const LISTED_LENGTHS = { min: 4, max: 40 } as const

/** The hash of no characters at all, to be extended with `extendHash`. */
export const EMPTY_HASH = 1

/** Just below 2 ** 40; times the factor still an exact number. */
const MODULUS = 1_099_511_627_689
const FACTOR = 2_053

/**
 * Answers the 40-bit hash of a text and one more code point. The list holds hashes to be small and free of other people's words; it
 * keeps no secret, so a polynomial does.
 */
export function extendHash(hash: number, codePoint: number): number {
  return (hash * FACTOR + codePoint) % MODULUS
}

let listed: Set<number> | undefined

/** Answers whether the lower-case text with this hash is a common password. One unlisted text in 70 million is taken for one. */
export function isListed(hash: number): boolean {
  listed ??= readList()
  return listed.has(hash)
}

/** Each entry is the distance from the one before, in 4 bytes. Read at the first new password: nothing else pays for it. */
function readList(): Set<number> {
  const bytes = decodeBase64url(COMMON_PASSWORDS)
  if (bytes === null) throw new Error('the list of common passwords is damaged')
  const view = new DataView(bytes.buffer)
  const hashes = new Set<number>()
  let hash = 0
  for (let at = 0; at < bytes.length; at += 4) {
    hash += view.getUint32(at)
    hashes.add(hash)
  }
  return hashes
}
