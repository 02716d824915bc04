import { createHash, timingSafeEqual } from 'node:crypto'
import type { AccountRow } from '../accounts/account.ts'
import type { AccountStore } from '../accounts/account-store.ts'
import { type SessionRow, type Standing, standingOf } from './session.ts'
import type { SessionStore } from './session-store.ts'

/** How a request shows which session it acts for. The cookie's MAC, the token's signature have been checked; the rest is checked here. */
export type SessionProof = { kind: 'cookie'; sid: string; secret: Uint8Array } | { kind: 'token'; sid: string; ver: number }

export type ProvenSession = { ok: true; account: AccountRow; session: SessionRow }
export type UnprovenSession = { ok: false; error: 'no_session' | 'revoked' | 'outdated' }

/** SHA-256, synchronous: it runs inside the transaction that compares it. 128 random bits need no slow hash. */
export function hashSecret(secret: Uint8Array): ArrayBuffer {
  return new Uint8Array(createHash('sha256').update(secret).digest()).buffer
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Whether the cookie's secret is this session's, living or dead. */
export function ownsSession(session: SessionRow, secret: Uint8Array): boolean {
  return session.secret_hash !== null && equalBytes(new Uint8Array(session.secret_hash), new Uint8Array(hashSecret(secret)))
}

/** What an access token is worth now. `outdated`: its session is fine, only its `ver` is too low. No standing: no such session. */
export function judgeToken(standing: Standing | null, ver: number, now: number): 'active' | 'outdated' | 'revoked' {
  if (standing === null || now >= standing.ends_at) return 'revoked'
  return ver >= standing.ver ? 'active' : 'outdated'
}

/** The living session that a proof names, or why there is none. A token's session can be fine and the token only outdated. */
export function proveSession(
  stores: { accounts: AccountStore; sessions: SessionStore },
  proof: SessionProof,
  now: number,
): ProvenSession | UnprovenSession {
  const account = stores.accounts.get()
  const session = stores.sessions.get(proof.sid)
  const error = proof.kind === 'cookie' ? 'no_session' : 'revoked'
  if (account === null || session === null) return { ok: false, error }
  const standing = standingOf(account, session)
  if (proof.kind === 'token') {
    const verdict = judgeToken(standing, proof.ver, now)
    return verdict === 'active' ? { ok: true, account, session } : { ok: false, error: verdict }
  }
  return now < standing.ends_at && ownsSession(session, proof.secret) ? { ok: true, account, session } : { ok: false, error }
}
