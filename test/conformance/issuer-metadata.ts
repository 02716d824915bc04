/** What the metadata of an issuer says (RFC 8414, 2; OpenID Connect Discovery, 3). */
import { expect } from 'vitest'
import type { Client } from '../support/node/http.ts'
import { CALLBACK, type OAuthProblem } from '../support/node/oauth.ts'

/** The members that are lists; what each says is held against the endpoints, value by value. */
export const LISTS = [
  'response_types_supported',
  'response_modes_supported',
  'grant_types_supported',
  'scopes_supported',
  'code_challenge_methods_supported',
  'token_endpoint_auth_methods_supported',
  'token_endpoint_auth_signing_alg_values_supported',
  'revocation_endpoint_auth_methods_supported',
  'revocation_endpoint_auth_signing_alg_values_supported',
  'introspection_endpoint_auth_methods_supported',
  'introspection_endpoint_auth_signing_alg_values_supported',
  'dpop_signing_alg_values_supported',
  'id_token_signing_alg_values_supported',
  'subject_types_supported',
  'acr_values_supported',
  'claims_supported',
] as const

export type Metadata = Record<(typeof LISTS)[number], string[]> & {
  issuer: string
  registration_endpoint: string
  token_endpoint: string
} & Record<string, unknown>

export const readMetadata = async (http: Client): Promise<Metadata> => (await http.get<Metadata>('/.well-known/openid-configuration')).json

/** What is not listed cannot be registered either. */
export async function refusedToRegister(http: Client, members: object): Promise<void> {
  const refused = await http.post<OAuthProblem>('/oauth/register', { redirect_uris: [CALLBACK], ...members })
  expect([refused.status, refused.json.error]).toEqual([400, 'invalid_client_metadata'])
}
