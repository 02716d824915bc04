// What the operator has configured for the clients of these tests: an API, its scopes, and a service that may exchange tokens.
import { createHash, randomBytes } from 'node:crypto'

export const API = 'https://api.example.com'
export const OTHER_API = 'https://reports.example.com'

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** The API's own client, for introspection and token exchange. */
export const SERVICE = { client_id: 'notes-api', client_secret: `sps_${randomBytes(32).toString('base64url')}` }

const CLIENTS_TOML = `
[[client]]
client_id = "${SERVICE.client_id}"
client_name = "The notes API"
redirect_uris = []
grant_types = ["client_credentials", "${EXCHANGE}"]
token_endpoint_auth_method = "client_secret_basic"
client_secret_sha256 = ["${createHash('sha256').update(SERVICE.client_secret).digest('base64url')}"]
serves = ["${API}"]
`

export const VARS = { AUDIENCES: `${API},${OTHER_API}`, SCOPES: 'notes:read notes:write', CLIENTS_TOML }
