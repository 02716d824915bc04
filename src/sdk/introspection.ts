// `sallyport/introspection`: `live` without a service binding. The issuer is asked as a resource server may (RFC 7662), with its own
// credentials. The token goes to the issuer and nowhere else.

import { encodeBase64url } from '../protocol/base64url.ts'
import type { AccessTokenClaims } from '../protocol/claims.ts'
import type { LiveAnswer } from './binding.ts'
import { readAnswer } from './http-answer.ts'
import type { Introspection } from './http-issuer.ts'
import { FLIGHT_TIMEOUT } from './single-flight.ts'
import { isObject, readStrictJson } from './strict-json.ts'

/**
 * A client of the issuer's that `serves` this service's audience: its secret (`client_secret_basic`), or the private key whose public half it
 * registered (`private_key_jwt`; ES256, EdDSA or RS256), with its `kid` where it registered several.
 */
export type IntrospectionOptions =
  | { client_id: string; client_secret: string }
  | { client_id: string; private_key: CryptoKey; kid?: string | undefined }

/** Bytes. */
const MAX_ANSWER = 65_536
/** Seconds for which an assertion is good. It is used once, at once. */
const ASSERTION_LIFETIME = 60
/** What the issuer answers to a client that it does not know, or that may not ask. */
const REFUSED = [400, 401, 403]
const TYPES = ['application/json']

/**
 * How a verifier asks: `createVerifier({ introspection: introspection({ client_id, client_secret }), ... })`. It sends by the verifier's
 * `fetch`. Throws TypeError naming the option that is wrong.
 */
export function introspection(options: IntrospectionOptions): Introspection {
  const credentials = credentialsOf(options)
  return (issuer, send) => {
    const url = `${issuer}/oauth/introspect`
    return async (token, claims) => {
      const shown = await credentials(issuer)
      const response = await send(url, {
        method: 'POST',
        redirect: 'manual',
        headers: { ...shown.headers, accept: TYPES.join(), 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ token, token_type_hint: 'access_token', ...shown.form }).toString(),
        signal: AbortSignal.timeout(FLIGHT_TIMEOUT),
      })
      if (REFUSED.includes(response.status)) {
        void response.body?.cancel().catch(() => {})
        throw new Error(`${url}: ${response.status}: check client_id and its credentials`)
      }
      return readLiveAnswer(await readAnswer(response, url, TYPES, MAX_ANSWER), claims)
    }
  }
}

/** Rejects what is no answer about this very token: one about another could be an answer that was kept for another question. */
function readLiveAnswer(bytes: Uint8Array, claims: AccessTokenClaims): LiveAnswer {
  const reading = readStrictJson(bytes)
  if (!reading.ok || !isObject(reading.value)) throw new Error('introspection: no JSON object')
  const { active, error, jti, sub, client_id } = reading.value
  if (active === false) return { active, error: error === 'outdated' ? 'outdated' : 'revoked' }
  if (active !== true) throw new Error('introspection: active is neither true nor false')
  if (jti !== claims.jti || sub !== claims.sub || client_id !== claims.client_id) throw new Error('introspection: about another token')
  return { active }
}

type Shown = { headers: Record<string, string>; form: Record<string, string> }

function credentialsOf(options: IntrospectionOptions): (issuer: string) => Promise<Shown> {
  const { client_id } = options
  need(isSecret(client_id), 'client_id', 'a string')
  if ('client_secret' in options) {
    const { client_secret } = options
    need(isSecret(client_secret), 'client_secret', 'a string')
    // RFC 6749 2.3.1: both halves are form-encoded before they are joined.
    const pair = [client_id, client_secret].map((half) => new URLSearchParams([['', half]]).toString().slice(1)).join(':')
    const shown = { headers: { authorization: `Basic ${btoa(pair)}` }, form: {} }
    return async () => shown
  }
  const { private_key, kid } = options
  const alg = algorithmOf(private_key)
  return async (issuer) => {
    const client_assertion = await signAssertion(private_key, { alg, kid, typ: 'client-authentication+jwt' }, client_id, issuer)
    return {
      headers: {},
      form: { client_assertion, client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' },
    }
  }
}

const isSecret = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** RFC 7518 3.1, RFC 8037 3.1. */
function algorithmOf(key: CryptoKey): string {
  const { name, namedCurve, hash }: { name?: string; namedCurve?: string; hash?: { name: string } } = Object(key?.algorithm)
  const shape = [name, namedCurve ?? hash?.name].join(' ').trim()
  const alg = { 'ECDSA P-256': 'ES256', Ed25519: 'EdDSA', 'RSASSA-PKCS1-v1_5 SHA-256': 'RS256' }[shape]
  if (alg === undefined || !key.usages.includes('sign')) throw new TypeError('private_key: needs a CryptoKey for ES256, EdDSA or RS256')
  return alg
}

/** RFC 7523 3. */
async function signAssertion(key: CryptoKey, header: object, client_id: string, aud: string): Promise<string> {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: client_id, sub: client_id, aud, iat, exp: iat + ASSERTION_LIFETIME, jti: crypto.randomUUID() }
  const utf8 = new TextEncoder()
  const signed = [header, claims].map((part) => encodeBase64url(utf8.encode(JSON.stringify(part)))).join('.')
  const signature = await crypto.subtle.sign({ name: key.algorithm.name, hash: 'SHA-256' }, key, utf8.encode(signed))
  return `${signed}.${encodeBase64url(new Uint8Array(signature))}`
}

function need(holds: boolean, name: string, what: string): void {
  if (!holds) throw new TypeError(`${name}: needs ${what}`)
}
