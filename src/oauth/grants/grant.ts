import type { Client } from '../../clients/client.ts'
import type { SecretRing } from '../../keys/secret-ring.ts'
import type { AccessTokenClaims } from '../../protocol/claims.ts'
import type { OAuthErrorCode } from '../../protocol/oauth-error.ts'
import type { Presented, Refreshed } from '../../sessions/refresh.ts'
import type { Authentication, TokenGrant } from '../../sessions/session.ts'
import type { Generation } from '../../sessions/start.ts'
import type { ProfileClaims } from '../../tokens/id-token.ts'
import type { Polled } from '../device-request.ts'
import type { PresentedCode, Redeemed } from '../redeem-code.ts'

/** A token request that the dispatcher has checked as far as all grants are alike: its client is authenticated and may use this grant. */
export type TokenRequest = {
  client: Client
  parameters: ReadonlyMap<string, string>
  /** The key of its DPoP proof, or null. */
  jkt: string | null
  /** Integer seconds. */
  now: number
}

/** What grants need of the world, handed to them by the shell. */
export type GrantNeeds = {
  ring: SecretRing
  issuer: string
  audiences: readonly string[]
  /** What tokens may say, beyond OpenID Connect's own scopes. */
  scopes: readonly string[]
  /** Every scope that a person may allow a client. */
  offered: readonly string[]
  /** A keyed digest of the network that the request came from. */
  network(): string
  redeemCode(sub: string, presented: PresentedCode): Promise<Redeemed>
  rotateRefreshToken(sub: string, presented: Presented): Promise<Refreshed>
  pollDevice(userCode: string, by: { secret: Uint8Array; client_id: string }): Promise<Polled>
  /** What a living access token of ours says, asked `live`; null for any other. */
  verifyAccessToken(token: string): Promise<Readonly<AccessTokenClaims> | null>
}

/** What the dispatcher signs, seals and answers. */
export type Granted = {
  ok: true
  token: TokenGrant
  refresh: Generation | null
  /** What an ID token says, where the scope has `openid`. */
  identity: (Authentication & { sid: string | null; nonce: string | null; profile: ProfileClaims }) | null
  /** RFC 8693, 2.2.1. */
  issued_token_type?: string
}

export type GrantRefusal = { ok: false; error: OAuthErrorCode; description: string; reason: string }

export type Grant = (request: TokenRequest, needs: GrantNeeds) => Promise<Granted | GrantRefusal>

export const refuseGrant = (error: OAuthErrorCode, description: string, reason = description): GrantRefusal => ({
  ok: false,
  error,
  description,
  reason,
})

/** One answer for every code and refresh token that is not good, whatever the reason: the reason is for the log. */
export const invalidGrant = (reason: string): GrantRefusal =>
  refuseGrant('invalid_grant', 'It is unknown, expired, used, revoked, or was not given to this client in this way.', reason)
