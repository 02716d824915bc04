/**
 * What an authorization request may say (RFC 6749, 4.1.1; OpenID Connect Core, 3.1.2.1; RFC 7636, 8707, 9449), read once and strictly. It
 * is read after the client and its address are known to be real: everything refused here is answered at that address.
 */
import { type Client, isConfidential, scopesOf } from '../clients/client.ts'
import type { OAuthErrorCode } from '../protocol/oauth-error.ts'
import { isCodeChallenge } from '../protocol/pkce.ts'
import { parseScope } from '../protocol/scope.ts'

export type Parameters = ReadonlyMap<string, string>

export type AuthorizationRequest = {
  scope: string
  aud: string
  code_challenge: string | null
  nonce: string | null
  jkt: string | null
  prompt: { none: boolean; login: boolean; consent: boolean }
  max_age: number | null
  login_hint: string | null
  id_token_hint: string | null
}

export type AuthorizationReading = { ok: true; request: AuthorizationRequest } | { ok: false; error: OAuthErrorCode; description: string }

/** What this deployment makes tokens for, and what they may say. */
export type Offer = { audiences: readonly string[]; scopes: readonly string[]; issuer: string }

/** Bytes of all parameters as they are sealed or stored: pages carry them in forms of at most 16 KiB. */
const MAX_PARAMETERS = 8192
/** Longer than anything honest. */
const MAX_NONCE = 512
const thumbprint = /^[A-Za-z0-9_-]{43}$/

class Refusal extends Error {
  readonly error: OAuthErrorCode
  constructor(error: OAuthErrorCode, description: string) {
    super(description)
    this.error = error
  }
}

export function readAuthorizationRequest(parameters: Parameters, client: Client, offer: Offer): AuthorizationReading {
  try {
    if (Buffer.byteLength(JSON.stringify(Object.fromEntries(parameters))) > MAX_PARAMETERS) {
      throw new Refusal('invalid_request', 'The request is too long.')
    }
    if (parameters.has('request')) throw new Refusal('request_not_supported', 'Request objects are not supported; PAR is (RFC 9126).')
    if (parameters.has('request_uri')) throw new Refusal('request_uri_not_supported', 'A request_uri is had by PAR (RFC 9126).')
    readResponseType(parameters)
    if (!client.grant_types.includes('authorization_code')) {
      throw new Refusal('unauthorized_client', 'This client is not registered for the authorization code grant.')
    }
    const jkt = parameters.get('dpop_jkt') ?? null
    if (jkt !== null && !thumbprint.test(jkt)) throw new Refusal('invalid_request', 'dpop_jkt must be the SHA-256 thumbprint of a key.')
    const nonce = parameters.get('nonce') ?? null
    if (nonce !== null && nonce.length > MAX_NONCE) throw new Refusal('invalid_request', 'nonce is too long.')
    return {
      ok: true,
      request: {
        scope: readScope(parameters, client, offer),
        aud: readResource(parameters.get('resource'), offer),
        code_challenge: readChallenge(parameters, client),
        nonce,
        jkt,
        prompt: readPrompt(parameters),
        max_age: readMaxAge(parameters, client),
        login_hint: parameters.get('login_hint') ?? null,
        id_token_hint: parameters.get('id_token_hint') ?? null,
      },
    }
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, error: error.error, description: error.message }
    throw error
  }
}

export type ResponseMode = 'query' | 'form_post'

/** Read before the rest: it decides how the rest is refused. Null: one that a code may not travel by. */
export function readResponseMode(parameters: Parameters): ResponseMode | null {
  const mode = parameters.get('response_mode') ?? 'query'
  return mode === 'query' || mode === 'form_post' ? mode : null
}

function readResponseType(parameters: Parameters): void {
  const type = parameters.get('response_type')
  if (type === undefined) throw new Refusal('invalid_request', 'response_type is missing.')
  if (type !== 'code') throw new Refusal('unsupported_response_type', 'The only response_type is "code".')
}

/** Scopes that are not understood are left out (OpenID Connect Core, 3.1.2.1); the token response says what was granted. */
function readScope(parameters: Parameters, client: Client, { scopes }: Offer): string {
  const text = parameters.get('scope')
  if (text === undefined) return ''
  const asked = parseScope(text)
  if (!asked) throw new Refusal('invalid_scope', 'scope must be scope-tokens separated by one space.')
  const own = scopesOf(client, scopes)
  const granted = asked.filter((scope) => own.includes(scope))
  if (granted.length === 0) throw new Refusal('invalid_scope', 'None of these scopes can be granted to this client.')
  return granted.join(' ')
}

/** The audiences asked for (RFC 8707, 2), separated by spaces; the issuer itself where none is. */
export function readResource(text: string | undefined, { audiences, issuer }: Offer): string {
  if (text === undefined) return issuer
  const resources = [...new Set(text.split(' '))]
  if (!resources.every((resource) => audiences.includes(resource))) {
    throw new Refusal('invalid_target', 'resource must be one of the audiences that this issuer makes tokens for (AUDIENCES).')
  }
  return resources.join(' ')
}

/** RFC 7636; required of everyone but clients whose operator has said otherwise (RFC 9700, 2.1.1). */
function readChallenge(parameters: Parameters, client: Client): string | null {
  const challenge = parameters.get('code_challenge')
  const method = parameters.get('code_challenge_method')
  if (challenge === undefined) {
    if (client.legacy_oidc && isConfidential(client) && method === undefined) return null
    throw new Refusal('invalid_request', 'code_challenge is missing: PKCE is required (RFC 7636).')
  }
  if (method !== 'S256') throw new Refusal('invalid_request', 'code_challenge_method must be S256.')
  if (!isCodeChallenge(challenge)) throw new Refusal('invalid_request', 'code_challenge must be base64url of a SHA-256.')
  return challenge
}

/** OpenID Connect Core, 3.1.2.1. `select_account` asks to sign in as well: whoever wants another account needs that page. */
function readPrompt(parameters: Parameters): AuthorizationRequest['prompt'] {
  const values = new Set((parameters.get('prompt') ?? '').split(' ').filter(Boolean))
  if (values.has('none') && values.size > 1) throw new Refusal('invalid_request', 'prompt=none stands alone.')
  return { none: values.has('none'), login: values.has('login') || values.has('select_account'), consent: values.has('consent') }
}

function readMaxAge(parameters: Parameters, client: Client): number | null {
  const text = parameters.get('max_age')
  if (text === undefined) return client.default_max_age
  if (!/^\d{1,9}$/.test(text)) throw new Refusal('invalid_request', 'max_age must be a number of seconds.')
  return Number(text)
}
