/**
 * Reads the metadata by which a client describes itself (RFC 7591, 2; OpenID Connect Registration, 2) into a `Client`, or refuses it in words
 * that its developer can act on and that never repeat a value. Unknown members are ignored, `null` is absent (RFC 7592, 2.2).
 */
import * as v from 'valibot'
import type { SigningAlgorithm } from '../keys/key.ts'
import { parseScope } from '../protocol/scope.ts'
import { AUTH_METHODS, type AuthMethod, type Client, GRANT_TYPES, type GrantType } from './client.ts'
import { ASSERTION_ALGORITHMS, readClientKeys } from './client-keys.ts'
import { type ClientMetadata, MetadataShape } from './metadata-schema.ts'
import { isLoopbackHost, type OutsideRules, outsideRefusal, readPlainUrl } from './public-address.ts'
import { redirectRefusal } from './redirect.ts'

/** `signingAlg`: what this deployment signs access tokens with. `mayBeLegacy`: whether `legacy_oidc` is listened to. */
export type MetadataRules = OutsideRules & { source: Client['source']; signingAlg: SigningAlgorithm; mayBeLegacy: boolean }

export type MetadataRefusal = { ok: false; error: 'invalid_redirect_uri' | 'invalid_client_metadata'; description: string }
export type ReadMetadata = { ok: true; client: Client } | MetadataRefusal

class Refused extends Error {
  readonly refusal: MetadataRefusal
  constructor(member: string, what: string) {
    super(member)
    const error = member === 'redirect_uris' ? 'invalid_redirect_uri' : 'invalid_client_metadata'
    this.refusal = { ok: false, error, description: `${member} ${what}` }
  }
}

export function readClientMetadata(client_id: string, metadata: unknown, rules: MetadataRules): ReadMetadata {
  const parsed = v.safeParse(MetadataShape, metadata, { abortEarly: true })
  if (!parsed.success) {
    const [issue] = parsed.issues
    const [member] = issue.path ?? []
    return new Refused(member ? String(member.key) : 'The body', issue.message).refusal
  }
  try {
    return { ok: true, client: readClient(client_id, parsed.output, rules) }
  } catch (error) {
    if (error instanceof Refused) return error.refusal
    throw error
  }
}

function readClient(client_id: string, it: ClientMetadata, rules: MetadataRules): Client {
  const application_type = it.application_type ?? 'web'
  const token_endpoint_auth_method = readMethod(it, rules)
  const grant_types = readGrants(it, token_endpoint_auth_method, rules)
  const outside = (member: 'jwks_uri' | 'backchannel_logout_uri') => outsideUrl(member, it[member] ?? null, rules)
  return {
    client_id,
    client_name: readName(it.client_name ?? null),
    client_uri: shownUrl('client_uri', it.client_uri, rules),
    logo_uri: shownUrl('logo_uri', it.logo_uri, rules),
    policy_uri: shownUrl('policy_uri', it.policy_uri, rules),
    tos_uri: shownUrl('tos_uri', it.tos_uri, rules),
    application_type,
    redirect_uris: readRedirects(it.redirect_uris ?? [], application_type, grant_types),
    post_logout_redirect_uris: (it.post_logout_redirect_uris ?? []).map((url) => {
      outsideUrl('post_logout_redirect_uris', url, rules)
      return url
    }),
    grant_types,
    token_endpoint_auth_method,
    token_endpoint_auth_signing_alg: readAssertionAlg(it, token_endpoint_auth_method),
    ...readKeys(it, token_endpoint_auth_method, outside('jwks_uri')),
    scope: readScope(it.scope ?? null),
    id_token_signed_response_alg: readIdTokenAlg(it, rules),
    default_max_age: it.default_max_age ?? null,
    require_auth_time: it.require_auth_time ?? false,
    backchannel_logout_uri: outside('backchannel_logout_uri'),
    backchannel_logout_session_required: it.backchannel_logout_session_required ?? false,
    dpop_bound_access_tokens: it.dpop_bound_access_tokens ?? false,
    require_pushed_authorization_requests: it.require_pushed_authorization_requests ?? false,
    serves: [],
    legacy_oidc: readLegacy(it, token_endpoint_auth_method, rules),
    source: rules.source,
  }
}

function readMethod(it: ClientMetadata, { source }: MetadataRules): AuthMethod {
  const fallback = source === 'document' ? 'none' : 'client_secret_basic'
  const method = AUTH_METHODS.find((item) => item === (it.token_endpoint_auth_method ?? fallback))
  if (!method) throw new Refused('token_endpoint_auth_method', `must be one of: ${AUTH_METHODS.join(', ')}`)
  // A document is public: it holds no secret, and there is nobody to give one to.
  if (source === 'document' && method !== 'none' && method !== 'private_key_jwt') {
    throw new Refused('token_endpoint_auth_method', 'must be none or private_key_jwt in a client metadata document')
  }
  return method
}

const TOKEN_EXCHANGE: GrantType = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** What a document may ask for: it is written for every server there is, so what we do not give it is left out, not refused. */
const DOCUMENT_GRANTS: readonly GrantType[] = ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code']

function readGrants(it: ClientMetadata, method: AuthMethod, { source }: MetadataRules): GrantType[] {
  const asked = [...new Set(it.grant_types ?? ['authorization_code', 'refresh_token'])]
  const allowed = source === 'document' ? DOCUMENT_GRANTS : GRANT_TYPES
  const grants = asked.flatMap((item) => allowed.find((grant) => grant === item) ?? [])
  if (source !== 'document' && grants.length < asked.length) {
    throw new Refused('grant_types', `must be of: ${GRANT_TYPES.join(', ')}`)
  }
  if (source === 'document' && grants.length === 0) throw new Refused('grant_types', 'must hold authorization_code')
  if (grants.includes(TOKEN_EXCHANGE) && source !== 'configuration') {
    throw new Refused('grant_types', 'must not hold token exchange: the operator gives it, by configuration')
  }
  if (method === 'none' && grants.some((grant) => grant === 'client_credentials' || grant === TOKEN_EXCHANGE)) {
    throw new Refused('grant_types', 'must not hold client_credentials or token exchange for a client that cannot prove who it is')
  }
  const responses = it.response_types
  const code = grants.includes('authorization_code')
  if (responses && source !== 'document' && responses.some((type) => type !== 'code')) {
    throw new Refused('response_types', 'must be ["code"]')
  }
  if (responses && responses.includes('code') !== code) {
    throw new Refused(
      'response_types',
      code ? 'must hold code, as grant_types holds authorization_code' : 'must be empty without authorization_code',
    )
  }
  return grants
}

function readRedirects(uris: readonly string[], type: Client['application_type'], grants: readonly GrantType[]): string[] {
  for (const uri of uris) {
    const refusal = redirectRefusal(uri, type)
    if (refusal) throw new Refused('redirect_uris', `${uris.length > 1 ? `(number ${uris.indexOf(uri) + 1}) ` : ''}${refusal}`)
  }
  if (uris.length === 0 && grants.includes('authorization_code'))
    throw new Refused('redirect_uris', 'must name at least one, for authorization_code')
  return [...new Set(uris)]
}

/** A page that people are shown a link to. The Worker never fetches it. */
function shownUrl(member: string, text: string | null | undefined, { development }: MetadataRules): string | null {
  if (text === null || text === undefined || text === '') return null
  const url = readPlainUrl(text)
  if (url?.protocol === 'https:' || (development && url?.protocol === 'http:' && isLoopbackHost(url.hostname))) return text
  throw new Refused(member, 'must be an absolute https URL without user info and fragment')
}

function outsideUrl(member: string, url: string | null, rules: MetadataRules): string | null {
  const refusal = url === null ? null : outsideRefusal(url, rules)
  if (refusal) throw new Refused(member, refusal)
  return url
}

function readKeys(it: ClientMetadata, method: AuthMethod, jwks_uri: string | null): Pick<Client, 'jwks' | 'jwks_uri'> {
  if (it.jwks && jwks_uri !== null) throw new Refused('jwks', 'and jwks_uri exclude each other')
  const read = it.jwks ? readClientKeys(it.jwks) : null
  if (read && !read.ok) throw new Refused('jwks', read.description.replace(/^jwks /, ''))
  const usable = jwks_uri !== null || (read?.ok && read.usable > 0)
  if (method === 'private_key_jwt' && !usable) {
    throw new Refused('jwks', `or jwks_uri must give a public key for signatures (${ASSERTION_ALGORITHMS.join(', ')}), for private_key_jwt`)
  }
  return { jwks: read?.ok ? read.jwks : null, jwks_uri }
}

function readAssertionAlg(it: ClientMetadata, method: AuthMethod): string | null {
  const alg = it.token_endpoint_auth_signing_alg ?? null
  if (alg === null || method !== 'private_key_jwt') return null
  if (ASSERTION_ALGORITHMS.some((item) => item === alg)) return alg
  throw new Refused('token_endpoint_auth_signing_alg', `must be one of: ${ASSERTION_ALGORITHMS.join(', ')}`)
}

function readIdTokenAlg(it: ClientMetadata, { signingAlg }: MetadataRules): SigningAlgorithm {
  if ((it.subject_type ?? 'public') !== 'public') throw new Refused('subject_type', 'must be public')
  const alg = it.id_token_signed_response_alg ?? 'RS256'
  if (alg === 'RS256' || alg === signingAlg) return alg
  throw new Refused('id_token_signed_response_alg', `must be one of: ${[...new Set(['RS256', signingAlg])].join(', ')}`)
}

function readScope(scope: string | null): string | null {
  if (scope === null || scope === '') return null
  const items = parseScope(scope)
  if (!items) throw new Refused('scope', 'must be scope tokens separated by one space (RFC 6749, 3.3)')
  return items.join(' ')
}

function readLegacy(it: ClientMetadata, method: AuthMethod, { mayBeLegacy }: MetadataRules): boolean {
  if (!it.legacy_oidc || !mayBeLegacy) return false
  if (method === 'none') throw new Refused('legacy_oidc', 'is for clients that can prove who they are')
  return true
}

/** The longest name that people are shown, in characters. */
const MAX_NAME = 100
/** Control characters, separators of lines, what turns the direction of text or is not seen, halves of pairs, private and unassigned ones. */
const HIDDEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u

function readName(name: string | null): string | null {
  if (name === null) return null
  const shown = name.trim()
  if (shown === '' || [...shown].length > MAX_NAME) throw new Refused('client_name', `must have 1 to ${MAX_NAME} characters`)
  if (HIDDEN.test(shown)) throw new Refused('client_name', 'must not have control characters or characters that nobody sees')
  return shown
}
