import { createHash } from 'node:crypto'
import { type Allowed, stillAllowed } from '../sessions/allowed.ts'
import type { EndStores } from '../sessions/end.ts'
import { newFamily } from '../sessions/family.ts'
import { endFamily, grantFamilyToken } from '../sessions/refresh.ts'
import {
  type Authentication,
  FAMILY_LIFETIME_SECONDS,
  type FamilyRow,
  familyEnd,
  sessionEnd,
  type TokenGrant,
} from '../sessions/session.ts'
import { type Generation, newestOf } from '../sessions/start.ts'
import type { CodeRow, CodeStore } from './code-store.ts'

export type RedeemStores = EndStores & { codes: CodeStore }

/** A code whose MAC is right, and who presents it. */
export type PresentedCode = {
  id: string
  client_id: string
  /** Null: not given, which OAuth 2.1 allows (the verifier binds the code). */
  redirect_uri: string | null
  code_verifier: string | null
  confidential: boolean
  jkt: string | null
  resource: string | null
  secret_id: string
  network: string
  allowed: Allowed
  /** Random, one for each request: our own repeat of a call is no replay. */
  attempt: string
}

export type CodeRefusal =
  | 'unknown_code'
  | 'other_client'
  | 'other_redirect'
  | 'wrong_verifier'
  | 'other_key'
  | 'other_target'
  | 'expired'
  | 'closed'
  | 'replayed'
  | 'scope_taken_back'
  | 'target_taken_back'

type CodeError = 'invalid_grant' | 'invalid_scope' | 'invalid_target'

export type Redeemed =
  | {
      ok: true
      sid: string
      nonce: string | null
      /** What the person allowed, of which the access token may hold less. */
      scope: string
      token: TokenGrant
      refresh: Generation
      authentication: Authentication
      profile: { email: string; name: string | null }
    }
  | { ok: false; error: CodeError; reason: CodeRefusal }

const refuse = (reason: CodeRefusal, error: CodeError = 'invalid_grant'): Redeemed => ({
  ok: false,
  error,
  reason,
})

/** RFC 7636, 4.6. A verifier without a challenge is refused as well: somebody has taken the challenge away (RFC 9700, 4.8.2). */
function isVerified(challenge: string | null, verifier: string | null): boolean {
  if (challenge === null || verifier === null) return challenge === verifier
  // Compared plainly: a challenge has come through the browser and is no secret.
  return createHash('sha256').update(verifier).digest('base64url') === challenge
}

/** The address is what it was given at (RFC 6749, 4.1.3). Left out, only a verifier can stand for it. */
function isSameAddress(code: CodeRow, presented: PresentedCode): boolean {
  if (presented.redirect_uri === null) return code.redirect_uri === null || code.code_challenge !== null
  return presented.redirect_uri === code.redirect_uri
}

/**
 * One presentation of a code, inside the transaction that decides it. Only whoever could have redeemed it can do any harm: a replay by the
 * right client, with the right address and verifier, ends what the first use gave; everything else changes nothing.
 */
export function redeemCode(stores: RedeemStores, presented: PresentedCode, now: number): Redeemed {
  const held = stores.codes.held(presented.id)
  if (!held) return refuse('unknown_code')
  const { row: code, account, session } = held
  if (code.client_id !== presented.client_id) return refuse('other_client')
  if (!isSameAddress(code, presented)) return refuse('other_redirect')
  if (!isVerified(code.code_challenge, presented.code_verifier)) return refuse('wrong_verifier')
  if (code.jkt !== null && code.jkt !== presented.jkt) return refuse('other_key')
  const aud = presented.resource ?? code.aud.split(' ')[0] ?? ''
  if (!code.aud.split(' ').includes(aud)) return refuse('other_target', 'invalid_target')
  if (code.consumed_by !== null && code.consumed_by !== presented.attempt) {
    if (code.grant_id !== null) endFamily(stores, code.grant_id, now)
    return refuse('replayed')
  }
  if (!account || account.banned_at !== null || !session || now >= sessionEnd(session)) return refuse('closed')
  const begun = code.grant_id === null ? null : stores.families.get(code.grant_id)
  // A replay may have come between our own try and its repeat.
  if (code.grant_id !== null && (begun === null || now >= familyEnd(begun))) return refuse('closed')
  if (begun === null && now >= code.expires_at) return refuse('expired')
  // Last, as in a refresh: what has ended stays so, whatever is allowed again. The code is not spent: a replay would find nothing to end, while
  // it lives the client may name an audience that is left, and each presentation is judged by what is allowed by then.
  if (!presented.allowed.audiences.includes(aud)) return refuse('target_taken_back', 'invalid_target')
  const left = stillAllowed(code.scope, presented.allowed)
  if (left === null) return refuse('scope_taken_back', 'invalid_scope')
  const family = begun ?? begin(stores, code, presented, session, now)
  return {
    ok: true,
    sid: session.sid,
    nonce: code.nonce,
    scope: code.scope,
    token: grantFamilyToken(account, session, family, { aud, scope: left, jkt: presented.jkt }, now),
    refresh: newestOf(family),
    authentication: { auth_time: session.auth_time, acr: session.acr, amr: session.amr },
    profile: { email: account.email, name: account.name },
  }
}

/** Consumes the code and begins the family that everything made from it belongs to. */
function begin(
  stores: RedeemStores,
  code: CodeRow,
  presented: PresentedCode,
  session: Authentication & { expires_at: number },
  now: number,
): FamilyRow {
  const offline = code.scope.split(' ').includes('offline_access')
  const { client_id, scope, aud, sid, logout_uri } = code
  const { secret_id, network } = presented
  const { auth_time, acr, amr } = session
  const family = newFamily(
    {
      ...{ sid, client_id, scope, aud, secret_id, network, auth_time, acr, amr, offline, logout_uri },
      // A confidential client proves itself at each refresh; a public one only by its key (RFC 9449, 5).
      jkt: presented.confidential ? null : presented.jkt,
      expires_at: offline ? now + FAMILY_LIFETIME_SECONDS : session.expires_at,
    },
    now,
  )
  stores.families.insert(family)
  stores.codes.consume(code.id, presented.attempt, family.grant_id)
  return family
}
