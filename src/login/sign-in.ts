/**
 * Sign-in with a password, in two steps of the Account object around the hash that the Worker computes: the try is counted first, the
 * digest compared last. An object without an account (a decoy, or a sign-up cut short) walks the same steps and always refuses.
 */

import type { AccountStore } from '../accounts/account-store.ts'
import { newDeviceNotice } from '../accounts/notices.ts'
import { decodeBase64url } from '../protocol/base64url.ts'
import type { OutboxStore } from '../revocation/outbox-store.ts'
import type { FamilyStore } from '../sessions/family-store.ts'
import { equalBytes } from '../sessions/prove.ts'
import type { SessionStore } from '../sessions/session-store.ts'
import { type Carry, type SignInFacts, type StartedSession, startSession } from '../sessions/start.ts'
import { randomId } from '../tokens/random-id.ts'
import type { AttemptStore } from './attempt-store.ts'
import { beginAttempt, failAttempt, forgiveAttempt } from './attempts.ts'
import { decodePhc, type HashParameters, needsRehash, newParameters } from './password-hash.ts'
import type { PasswordStore } from './password-store.ts'

export type SignInStores = {
  accounts: AccountStore
  passwords: PasswordStore
  attempts: AttemptStore
  sessions: SessionStore
  families: FamilyStore
  outbox: OutboxStore
}

/** `pwd` (RFC 8176): one factor, so `acr` names NIST's first level. */
export const PASSWORD_FACTS = { acr: 'urn:sallyport:aal1', amr: ['pwd'] }

/** The counter that strangers share; a known device has its own. */
const STRANGERS = 'account'

/** Who tries: a device that has signed in to this very account, and when; or, at an address without an account, the counter of its tries. */
export type Trier = { device: { id: string; issued_at: number } | null; decoy: string | null }

/** A device known for an earlier password is a stranger: whoever knew that password could have made many. */
function knownDevice({ passwords }: Pick<SignInStores, 'passwords'>, { device }: Trier): string | null {
  const chosen = passwords.row()
  return device && chosen && device.issued_at >= chosen.changed_at ? device.id : null
}

const counterOf = (stores: Pick<SignInStores, 'passwords'>, trier: Trier) => trier.decoy ?? knownDevice(stores, trier) ?? STRANGERS

export type BegunSignIn = { ok: true; parameters: HashParameters } | { ok: false; error: 'too_many_attempts'; retryAfter: number }

/** `rehash`: the stored hash, when it should be replaced with one of today's parameters. */
export type SignedIn =
  | {
      ok: true
      started: StartedSession
      device: { id: string; issued_at: number }
      account: { email: string; name: string | null; roles: string[] }
      rehash: string | null
    }
  | { ok: false; error: 'invalid_credentials'; reason: 'no_account' | 'wrong_password' | 'banned' }

/** Counts the try of a counter and answers how to hash it, or how long to wait. */
export function beginTry(stores: Pick<SignInStores, 'attempts' | 'passwords'>, counter: string, nowMs: number): BegunSignIn {
  const attempt = beginAttempt(stores.attempts.get(counter), nowMs)
  if (!attempt.ok) return { ok: false, error: 'too_many_attempts', retryAfter: attempt.retryAfter }
  stores.attempts.put(counter, attempt.state)
  const phc = stores.passwords.get()
  return { ok: true, parameters: (phc && decodePhc(phc)?.parameters) || newParameters() }
}

/** A counted try was right, and takes back its own count only. */
export function forgiveTry({ attempts }: Pick<SignInStores, 'attempts'>, counter: string): void {
  const left = forgiveAttempt(attempts.get(counter))
  if (left) attempts.put(counter, left)
  else attempts.clear(counter)
}

/** Compares a digest with the password's, and settles the counted try; null is wrong whatever the password. */
export function settleTry(
  stores: Pick<SignInStores, 'attempts' | 'passwords'>,
  counter: string,
  digest: string | null,
  nowMs: number,
): boolean {
  const phc = stores.passwords.get()
  const stored = decodeBase64url((phc && decodePhc(phc)?.digest) || '')
  const given = decodeBase64url(digest ?? '')
  const right = stored !== null && given !== null && given.length > 0 && equalBytes(stored, given)
  if (right) stores.attempts.clear(counter)
  else stores.attempts.put(counter, failAttempt(stores.attempts.get(counter), nowMs))
  return right
}

export const beginSignIn = (stores: SignInStores, trier: Trier, nowMs: number): BegunSignIn =>
  beginTry(stores, counterOf(stores, trier), nowMs)

export function finishSignIn(
  stores: SignInStores,
  tried: { trier: Trier; digest: string; user_agent: string; carry: Carry },
  nowMs: number,
): SignedIn {
  const now = Math.floor(nowMs / 1000)
  const account = stores.accounts.get()
  const banned = account !== null && account.banned_at !== null
  // A banned account's right password counts as a wrong one: its delays grow alike.
  const right = settleTry(stores, counterOf(stores, tried.trier), banned ? null : tried.digest, nowMs)
  if (!account) return { ok: false, error: 'invalid_credentials', reason: 'no_account' }
  if (banned) return { ok: false, error: 'invalid_credentials', reason: 'banned' }
  if (!right) return { ok: false, error: 'invalid_credentials', reason: 'wrong_password' }
  const facts: SignInFacts = { ...PASSWORD_FACTS, user_agent: tried.user_agent }
  const started = startSession(stores, account, facts, tried.carry, now)
  const device = knownDevice(stores, tried.trier)
  if (!device) stores.outbox.add({ target: 'mail', body: newDeviceNotice(account.email, now) }, now)
  const phc = stores.passwords.get()
  const parameters = phc ? decodePhc(phc)?.parameters : undefined
  const { email, name, roles } = account
  return {
    ok: true,
    started,
    device: { id: device ?? randomId(), issued_at: now },
    account: { email, name, roles },
    rehash: parameters && needsRehash(parameters) ? phc : null,
  }
}
