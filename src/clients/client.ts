/**
 * An OAuth client: who may ask for tokens, where its answers go, how it proves who it is. Members are named as RFC 7591, 2 and OpenID
 * Connect Registration register them; what was not said has its default here, so that nobody downstream decides it again.
 */
import type { SigningAlgorithm } from '../keys/key.ts'
import { decodeBase64url } from '../protocol/base64url.ts'

export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
] as const
export type GrantType = (typeof GRANT_TYPES)[number]

/** RFC 7591, 2; `private_key_jwt`: OpenID Connect Core, 9. */
export const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

export type Client = {
  client_id: string
  client_name: string | null
  client_uri: string | null
  logo_uri: string | null
  policy_uri: string | null
  tos_uri: string | null
  application_type: 'web' | 'native'
  redirect_uris: readonly string[]
  post_logout_redirect_uris: readonly string[]
  grant_types: readonly GrantType[]
  token_endpoint_auth_method: AuthMethod
  /** Null: any that we accept. */
  token_endpoint_auth_signing_alg: string | null
  /** By value or by reference, never both; only `private_key_jwt` needs one. */
  jwks: { keys: readonly object[] } | null
  jwks_uri: string | null
  /** The scope-tokens that it may ask for; null: all that this deployment knows. */
  scope: string | null
  id_token_signed_response_alg: SigningAlgorithm
  default_max_age: number | null
  require_auth_time: boolean
  backchannel_logout_uri: string | null
  backchannel_logout_session_required: boolean
  /** RFC 9449, 5.2. */
  dpop_bound_access_tokens: boolean
  /** RFC 9126, 6. */
  require_pushed_authorization_requests: boolean
  /** Audiences whose tokens it may introspect and exchange: it is their resource server. By configuration only. */
  serves: readonly string[]
  /** Takes requests without PKCE and without nonce, as certification of the OpenID Basic profile needs. Confidential clients only. */
  legacy_oidc: boolean
  /** Who says all this: the operator's file, a registration (RFC 7591), or a document at the client's own address. */
  source: 'configuration' | 'registration' | 'document'
}

/** SHA-256 of a secret that we made (256 random bits need no slow hash), base64url; in `expires_at` integer seconds, null: never. */
export type ClientSecret = { hash: string; expires_at: number | null }

export type KnownClient = { client: Client; secrets: readonly ClientSecret[] }

/** Whether it can keep a secret and proves so: then its refresh tokens are bound to it. */
export const isConfidential = ({ token_endpoint_auth_method }: Client): boolean => token_endpoint_auth_method !== 'none'

/** Those of the scope-tokens that this deployment offers which the client may have. */
export const scopesOf = ({ scope }: Pick<Client, 'scope'>, offered: readonly string[]): readonly string[] =>
  scope === null ? offered : offered.filter((each) => scope.split(' ').includes(each))

/** Whether its tokens are had for a shared secret. */
export const usesSecret = ({ token_endpoint_auth_method: method }: Pick<Client, 'token_endpoint_auth_method'>): boolean =>
  method === 'client_secret_basic' || method === 'client_secret_post'

/** Seconds for which an isolate may go on with what it has read of a client. */
export const CLIENT_CACHE_SECONDS = 5

/** An id as registration makes them: 128 bits. No configured client may have one that looks so. */
export const isRegisteredId = (client_id: string): boolean => client_id.length === 22 && decodeBase64url(client_id) !== null
