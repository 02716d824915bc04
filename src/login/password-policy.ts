// What a password may be: NIST SP 800-63B-4 3.1.1, OWASP ASVS 5.0 6.2. Which `amr` it earns is the sign-in's to say.

import { countChoices } from './choice-count.ts'
import { contextWords, fold, type PasswordOwner } from './context-words.ts'

/** Code points of a password that is the only factor. */
export const DEFAULT_MIN_LENGTH = 15
/** Code points. */
export const MAX_PASSWORD_LENGTH = 256
/** Below this many independent choices a password is a common one made longer. */
const MIN_CHOICES = 10
/** Characters behind a repeated unit that do not make it another password: "passwordpassword1!" */
const LONGEST_TAIL = 3
/** UTF-16 units. A text above it is too long however it is normalised, and is not worth the work. */
const MAX_RAW_LENGTH = 8 * MAX_PASSWORD_LENGTH

export type PasswordRefusal =
  | 'password_too_short'
  | 'password_too_long'
  | 'password_common'
  | 'password_contains_identifier'
  | 'password_malformed'

export type NewPasswordContext = PasswordOwner & { minLength: number }

/** `detail` is a sentence for the person who chose the password; it never holds the password. */
export type NewPasswordOutcome = { ok: true; password: string } | { ok: false; code: PasswordRefusal; detail: string }

/**
 * Answers the password to hash (NFC), or why it may not be one. Lengths are code points after NFC; any character but control
 * characters, and no composition rules. It is not checked when a person signs in: see `normalizePassword`.
 */
export function checkNewPassword(password: string, { minLength, ...owner }: NewPasswordContext): NewPasswordOutcome {
  if (password.length > MAX_RAW_LENGTH) return tooLong
  // A lone surrogate has no UTF-8 form, and no two systems agree on a control character (RFC 8265 4.2 refuses them as well).
  if (!password.isWellFormed() || /\p{Cc}/u.test(password)) {
    return refused('password_malformed', 'The password holds a control character or broken Unicode. Please type it again.')
  }
  const normalized = password.normalize('NFC')
  const length = [...normalized].length
  if (length > MAX_PASSWORD_LENGTH) return tooLong
  if (length < minLength) return refused('password_too_short', `The password has ${length} characters. It needs at least ${minLength}.`)
  const refusal = checkGuessable(fold(normalized), minLength, owner)
  if (refusal) return refusal
  // Unfolded too: folding takes some characters apart, and their repetition with them.
  if (repeatsShorterThan([...normalized], minLength)) return refused('password_common', 'The password repeats a shorter one.')
  return { ok: true, password: normalized }
}

/**
 * Answers the password to hash when somebody signs in: the same NFC and no other rule, so that a rule made later locks nobody out.
 * Null for what no stored password can be: too long, or broken Unicode.
 */
export function normalizePassword(password: string): string | null {
  if (password.length > MAX_RAW_LENGTH || !password.isWellFormed()) return null
  const normalized = password.normalize('NFC')
  return [...normalized].length > MAX_PASSWORD_LENGTH ? null : normalized
}

function checkGuessable(folded: string, minLength: number, owner: PasswordOwner): NewPasswordOutcome | null {
  // Whoever attacks an account knows its words, so what is left without them has to be a password by itself.
  const rest = [...contextWords(owner).reduce((text, word) => text.replaceAll(word, ''), folded)]
  if (rest.length < [...folded].length && rest.length < minLength) {
    return refused('password_contains_identifier', 'The password leans on your address, your name or the name of this service.')
  }
  if (repeatsShorterThan(rest, minLength)) return refused('password_common', 'The password repeats a shorter one.')
  if (countChoices(rest) < Math.min(MIN_CHOICES, Math.ceil(minLength * 0.7))) {
    return refused('password_common', 'The password is a common one, or common words, sequences and repetitions put together.')
  }
  return null
}

/** Whether the text is one unit, shorter than a password may be, again and again, but for a few characters at the end. */
function repeatsShorterThan(characters: readonly string[], minLength: number): boolean {
  const tail = Math.min(LONGEST_TAIL, Math.floor(characters.length / 5))
  const repeated = characters.slice(0, characters.length - tail)
  for (let period = 1; period < minLength && period * 2 <= characters.length; period++) {
    if (repeated.every((character, at) => at < period || character === repeated[at - period])) return true
  }
  return false
}

const tooLong = refused('password_too_long', `The password has more than ${MAX_PASSWORD_LENGTH} characters.`)

function refused(code: PasswordRefusal, detail: string): { ok: false; code: PasswordRefusal; detail: string } {
  return { ok: false, code, detail }
}
