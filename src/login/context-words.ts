/** Whose password it is. */
export type PasswordOwner = { email?: string; name?: string }

/** Shorter words turn up in any text by chance. */
const SHORTEST_WORD = 4
/** A name of more words than this is none. */
const MOST_WORDS = 32
const SERVICE_NAME = 'sallyport'

/**
 * Answers the words that anybody who knows the account and the service would guess first (ASVS 6.1.2): the address, its local part and
 * domain and their parts, the name and its parts, the name of the service. Lower case, longest first.
 */
export function contextWords(owner: PasswordOwner): string[] {
  const email = fold(owner.email ?? '')
  const name = fold(owner.name ?? '')
  const at = email.lastIndexOf('@')
  const local = at === -1 ? email : email.slice(0, at)
  const domain = email.slice(at + 1)
  const nameParts = name.split(/[^\p{L}\p{N}]+/u)
  const candidates = [
    ...[email, local, domain, ...local.split(/[^\p{L}\p{N}]+/u), ...domain.split('.').slice(0, -1)],
    ...[name, nameParts.join(''), ...nameParts.slice(0, MOST_WORDS), SERVICE_NAME],
  ]
  return [...new Set(candidates)].filter((word) => [...word].length >= SHORTEST_WORD).sort((one, other) => other.length - one.length)
}

/** Upper case, width and ligatures tell no two guesses apart. For comparing only: what is hashed is never folded. */
export function fold(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}
