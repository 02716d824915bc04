// `sallyport/sdk`: verify Sallyport's access tokens in any JavaScript runtime with web standards.

export type { AccessTokenClaims } from '../protocol/claims.ts'
export type { IssuerSource, LiveAnswer, VerifierBinding, WaitUntil } from './binding.ts'
export { type BearerRequest, createVerifier, type VerifiedToken, type Verifier, type VerifyCall } from './create-verifier.ts'
export type { Fetch, Introspection } from './http-issuer.ts'
export type { Algorithm } from './parse-token.ts'
export type { OpenFeed, PushedFeed } from './pushed-feed.ts'
export type { Requirements } from './requirements.ts'
export { type ChallengeNeeds, TokenError, type TokenErrorCode } from './token-error.ts'
export type { Freshness, VerifierOptions } from './verifier-options.ts'
