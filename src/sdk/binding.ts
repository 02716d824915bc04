// What a verifier needs of its issuer. Cloudflare Workers give it as a service binding to Sallyport's `Verifier` entrypoint; over HTTP
// there is the first half of it (`http-issuer.ts`).

import type { AccessTokenClaims } from '../protocol/claims.ts'

/**
 * How the issuer answers for one token: `outdated` = only its `ver` is too low, or it has expired by the issuer's clock (refresh), `revoked` =
 * anything else.
 */
export type LiveAnswer = { active: true } | { active: false; error: 'outdated' | 'revoked' }

/** The keys and the revocation list. Each call may throw or never answer: that reads as "unavailable". */
export type IssuerSource = {
  /** The JSON Web Key Set (RFC 7517 5). */
  jwks(): Promise<{ keys: readonly object[] }>
  /** The revocation feed since a cursor, or a whole snapshot for null (`protocol/feed.ts` has the format). */
  revocations(after: string | null): Promise<ArrayBuffer | Uint8Array>
}

/** The issuer as a verifier reaches it by RPC. */
export type VerifierBinding = IssuerSource & {
  /**
   * Whether the token is active at this moment. `claims` are those verified from `token`; `doubtedKid` is its key while the caller's view
   * is too old to say whether that is denied: then the answer has to say it as well.
   */
  check(token: string, claims: AccessTokenClaims, doubtedKid?: string): Promise<LiveAnswer>
}

/** Keeps background work going after the response, as `ctx.waitUntil` of a Worker does. */
export type WaitUntil = (work: Promise<unknown>) => void
