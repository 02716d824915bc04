import type { Client, KnownClient } from '../../src/clients/client.ts'

/** A client of the method `private_key_jwt`, with an id of its own, so that tests share no memory and no keys. */
export function knownClient(changes: Partial<Client> = {}): KnownClient {
  const client: Client = {
    client_id: crypto.randomUUID(),
    client_name: null,
    client_uri: null,
    logo_uri: null,
    policy_uri: null,
    tos_uri: null,
    application_type: 'web',
    redirect_uris: [],
    post_logout_redirect_uris: [],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'private_key_jwt',
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
    source: 'registration',
    ...changes,
  }
  return { client, secrets: [] }
}
