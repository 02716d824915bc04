// `sallyport/accounts`: `live` in one hop, for Workers that are trusted with Sallyport's accounts (docs/decisions/0006).

import { type AccessTokenClaims, FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { shardOf } from '../protocol/shard.ts'
import type { LiveAnswer, VerifierBinding } from './binding.ts'

/**
 * The namespace of Sallyport's `Account` objects, as far as it is used. `check` answers for a session and the `ver` of one of its tokens
 * whose signature was verified; what it is and answers is kept from one release to the next.
 */
export type AccountNamespace = {
  getByName(name: string): { check(sid: string, ver: number): Promise<'active' | 'outdated' | 'revoked'> }
}

/**
 * The service binding, but with each `live` question put to the account's own object: `createVerifier({ binding: withAccounts(env.SALLYPORT,
 * env.SALLYPORT_ACCOUNTS), ... })`. A WEAKENING: a namespace gives its Worker every method of every account, not only this one.
 */
export function withAccounts(binding: VerifierBinding, accounts: AccountNamespace): VerifierBinding {
  return {
    jwks: () => binding.jwks(),
    revocations: (after) => binding.revocations(after),
    async check(token, claims, doubtedKid) {
      // An OAuth client's token hangs on its grant and its client as well, and no account knows of keys: the issuer knows all of it.
      if (claims.client_id !== FIRST_PARTY_CLIENT_ID || doubtedKid !== undefined) return binding.check(token, claims, doubtedKid)
      try {
        return await ask(accounts, claims)
      } catch (error) {
        // The object moved or its code was replaced: a new stub finds it. Asking twice changes nothing.
        if (isPassing(error)) return ask(accounts, claims)
        throw error
      }
    },
  }
}

async function ask(accounts: AccountNamespace, { sub, sid, ver }: AccessTokenClaims): Promise<LiveAnswer> {
  if (sid === undefined) return { active: false, error: 'revoked' }
  const verdict = await accounts.getByName(shardOf(sub)).check(sid, ver)
  if (verdict === 'active') return { active: true }
  if (verdict === 'outdated' || verdict === 'revoked') return { active: false, error: verdict }
  throw new Error(`no verdict: ${typeof verdict}`)
}

/** What a stub's error says of itself (Durable Objects, "Error handling"). */
function isPassing(error: unknown): boolean {
  const { retryable, overloaded }: { retryable?: unknown; overloaded?: unknown } = Object(error)
  return retryable === true && overloaded !== true
}
