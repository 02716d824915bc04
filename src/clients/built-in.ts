/** The clients that a deployment has beside those of its configuration, unless CLI_CLIENT says no. */
import { CLI_CLIENT_ID } from '../protocol/claims.ts'
import type { KnownClient } from './client.ts'

/** The command `sallyport` (src/cli): public, without a browser of its own. */
const cli: KnownClient = {
  client: {
    client_id: CLI_CLIENT_ID,
    client_name: 'Sallyport on the command line',
    ...{ client_uri: null, logo_uri: null, policy_uri: null, tos_uri: null },
    application_type: 'native',
    redirect_uris: [],
    post_logout_redirect_uris: [],
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    token_endpoint_auth_signing_alg: null,
    jwks: null,
    jwks_uri: null,
    scope: null,
    id_token_signed_response_alg: 'RS256',
    default_max_age: null,
    require_auth_time: false,
    backchannel_logout_uri: null,
    backchannel_logout_session_required: false,
    dpop_bound_access_tokens: false,
    require_pushed_authorization_requests: false,
    serves: [],
    legacy_oidc: false,
    source: 'configuration',
  },
  secrets: [],
}

export const BUILT_IN_CLIENTS: ReadonlyMap<string, KnownClient> = new Map([[CLI_CLIENT_ID, cli]])
