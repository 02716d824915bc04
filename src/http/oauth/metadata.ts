import { AUTH_METHODS } from '../../clients/client.ts'
import { ASSERTION_ALGORITHMS } from '../../clients/client-keys.ts'
import type { Config } from '../../config.ts'
import { algorithmsOf } from '../../keys/key.ts'
import { DPOP_ALGORITHMS } from '../../sdk/dpop-proof.ts'
import { offerOf } from './offer.ts'
import { GRANT_TYPES_SUPPORTED } from './token.ts'

/**
 * What this issuer does (RFC 8414, 2; OpenID Connect Discovery, 3): exactly what is enforced. A test holds each line against the
 * endpoints.
 */
export function issuerMetadata(config: Config): object {
  const { issuer, signingAlg } = config
  const at = (path: string) => `${issuer}${path}`
  const { scopes } = offerOf(config)
  return {
    issuer,
    authorization_endpoint: at('/oauth/authorize'),
    token_endpoint: at('/oauth/token'),
    userinfo_endpoint: at('/oauth/userinfo'),
    jwks_uri: at('/.well-known/jwks.json'),
    end_session_endpoint: at('/oauth/logout'),
    revocation_endpoint: at('/oauth/revoke'),
    introspection_endpoint: at('/oauth/introspect'),
    device_authorization_endpoint: at('/oauth/device_authorization'),
    pushed_authorization_request_endpoint: at('/oauth/par'),
    ...(config.development || config.initialAccessToken !== undefined ? { registration_endpoint: at('/oauth/register') } : {}),
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    grant_types_supported: GRANT_TYPES_SUPPORTED,
    scopes_supported: scopes,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS.filter((method) => method !== 'none'),
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    id_token_signing_alg_values_supported: [...algorithmsOf(signingAlg)].reverse(),
    subject_types_supported: ['public'],
    acr_values_supported: ['urn:sallyport:aal1'],
    claims_supported: [
      'sub',
      'iss',
      'aud',
      'exp',
      'iat',
      'auth_time',
      'nonce',
      'acr',
      'amr',
      'sid',
      'at_hash',
      'name',
      'email',
      'email_verified',
      'roles',
    ],
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    require_pushed_authorization_requests: false,
    authorization_response_iss_parameter_supported: true,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
    client_id_metadata_document_supported: true,
  }
}
