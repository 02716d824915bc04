import * as v from 'valibot'
import { MAX_URL_LENGTH } from './public-address.ts'

/** The most redirect URIs of one client, and of any other list. */
export const MAX_LIST = 32

const absent = <S extends v.GenericSchema>(schema: S) => v.nullish(schema)
const text = (max: number) => v.pipe(v.string('must be a string'), v.maxLength(max, `must have at most ${max} characters`))
const list = (max: number) =>
  absent(v.pipe(v.array(text(max), 'must be an array of strings'), v.maxLength(MAX_LIST, `must have at most ${MAX_LIST} items`)))
const flag = absent(v.boolean('must be true or false'))
const url = absent(text(MAX_URL_LENGTH))

/** The shapes of what we read of client metadata: RFC 7591, 2; OpenID Connect Registration, 2, Back-Channel Logout, 2.2, RP-Initiated Logout, 3.1. */
export const METADATA_ENTRIES = {
  client_name: absent(text(1024)),
  client_uri: url,
  logo_uri: url,
  policy_uri: url,
  tos_uri: url,
  application_type: absent(v.picklist(['web', 'native'], 'must be "web" or "native"')),
  redirect_uris: list(MAX_URL_LENGTH),
  post_logout_redirect_uris: list(MAX_URL_LENGTH),
  grant_types: list(128),
  response_types: list(128),
  token_endpoint_auth_method: absent(text(64)),
  token_endpoint_auth_signing_alg: absent(text(64)),
  jwks: absent(v.looseObject({}, 'must be a JSON Web Key Set')),
  jwks_uri: url,
  scope: absent(text(1024)),
  subject_type: absent(text(64)),
  id_token_signed_response_alg: absent(text(64)),
  default_max_age: absent(
    v.pipe(
      v.number('must be a number of seconds'),
      v.integer('must be an integer'),
      v.minValue(0, 'must not be negative'),
      v.maxValue(2 ** 31, 'is too large'),
    ),
  ),
  require_auth_time: flag,
  backchannel_logout_uri: url,
  backchannel_logout_session_required: flag,
  dpop_bound_access_tokens: flag,
  require_pushed_authorization_requests: flag,
  legacy_oidc: flag,
}

export const MetadataShape = v.object(METADATA_ENTRIES, 'must be a JSON object')
export type ClientMetadata = v.InferOutput<typeof MetadataShape>
