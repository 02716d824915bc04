import { ACCOUNT_SCOPE, type Config } from '../../config.ts'
import type { Offer } from '../../oauth/authorization-request.ts'

/** OpenID Connect Core, 5.4 and 11; `roles` is ours: whoever asks for it may read what the operator has made of the person. */
export const IDENTITY_SCOPES = ['openid', 'profile', 'email', 'offline_access', 'roles'] as const

/** What the operator's own APIs know. The scope of `/api/session*` is for the deployment's own apps only. */
export const apiScopes = ({ scopes }: Config): string[] => scopes.filter((scope) => scope !== ACCOUNT_SCOPE)

export const offerOf = (config: Config): Offer => ({
  audiences: config.audiences,
  scopes: [...IDENTITY_SCOPES, ...apiScopes(config)],
  issuer: config.issuer,
})
