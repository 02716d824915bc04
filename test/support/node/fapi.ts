/** A client of the FAPI 2 security profile for black-box tests: PAR, `private_key_jwt`, DPoP; or less of it. Every step can be done wrongly. */
import { type Change, type ClientKey, makeAssertion, makeClientKey, makeProof } from '../../oauth/proofs.ts'
import type { Client, Reply } from './http.ts'
import {
  type Ask,
  asClient,
  authorizationQuery,
  authorize,
  CALLBACK,
  type OAuthProblem,
  pkce,
  type Registered,
  register,
  type TokenAnswer,
} from './oauth.ts'
import { requireStatus } from './person.ts'

/** `null` leaves the whole proof out. */
export type How = {
  assertion?: (Change & { key?: ClientKey }) | null
  proof?: (Change & { key?: ClientKey; url?: string }) | null
  /** `client_id` and others beside what the client sends. */
  form?: Ask
  method?: string
}

export type Pushed = { request_uri: string; expires_in: number } & Partial<OAuthProblem>
export type FapiClient = Awaited<ReturnType<typeof fapiClient>>

const seconds = () => Math.floor(Date.now() / 1000)

/** Registers one with keys of its own. It repeats a request that is answered `use_dpop_nonce`, as the common libraries do. */
export async function fapiClient(http: Client, metadata: object = {}) {
  const issuer = http.origin
  const [key, dpop] = await Promise.all([makeClientKey(), makeClientKey()])
  const registered = await register(http, {
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    id_token_signed_response_alg: 'ES256',
    jwks: { keys: [{ ...key.jwk, kid: 'client', alg: 'ES256' }] },
    require_pushed_authorization_requests: true,
    dpop_bound_access_tokens: true,
    ...metadata,
  })
  const { client_id, token_endpoint_auth_method } = registered
  const isAsserting = token_endpoint_auth_method === 'private_key_jwt'
  let nonce: string | undefined

  async function post<T = TokenAnswer>(path: string, form: Ask, how: How = {}): Promise<Reply<T>> {
    const { assertion = {}, proof = {}, method = 'POST' } = how
    const send = async () => {
      const now = seconds()
      const as = asClient(registered)
      const asserted = isAsserting &&
        assertion && {
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await makeAssertion(assertion.key ?? key, { client_id, issuer, now }, assertion),
        }
      const url = proof?.url ?? `${issuer}${path}`
      const claims = { nonce, ...proof?.claims }
      const dpopHeader = proof && (await makeProof(proof.key ?? dpop, { method, url, now }, { ...proof, claims }))
      const body = Object.entries({ ...(isAsserting ? asserted : as.form), ...form, ...how.form }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      )
      const reply = await http.request<T>(method, path, new URLSearchParams(body), {
        ...as.headers,
        ...(dpopHeader === null ? {} : { dpop: dpopHeader }),
      })
      const given = reply.headers['dpop-nonce']
      if (typeof given === 'string') nonce = given
      return reply
    }
    const reply = await send()
    return reply.status === 400 && reply.text.includes('use_dpop_nonce') ? send() : reply
  }

  return { client_id, registered, key, dpop, post }
}

/** The body of a good pushed request, with changes; undefined takes a parameter away. */
export const pushedForm = (client: FapiClient, challenge: string, changes: Ask = {}): Ask => ({
  ...Object.fromEntries(new URLSearchParams(authorizationQuery(client.registered, challenge))),
  nonce: 'the-nonce',
  ...changes,
})

export function push(client: FapiClient, challenge: string, changes: Ask = {}, how: How = {}): Promise<Reply<Pushed>> {
  return client.post<Pushed>('/oauth/par', pushedForm(client, challenge, changes), how)
}

export const pushedQuery = (client: Pick<Registered, 'client_id'>, request_uri: string, more: Record<string, string> = {}) =>
  new URLSearchParams({ client_id: client.client_id, request_uri, ...more }).toString()

/** Pushes a request and brings a signed-in person to allow it: the address they are sent back to, and the verifier. */
export async function authorizePushed(person: Client, client: FapiClient, changes: Ask = {}, how: How = {}) {
  const { code_verifier, code_challenge } = pkce()
  const { request_uri } = requireStatus(await push(client, code_challenge, changes, how), 201).json
  const back = await authorize(person, pushedQuery(client, request_uri))
  return { back, request_uri, code_verifier, redirect_uri: changes.redirect_uri ?? CALLBACK }
}

export type Redeemable = { code: string; code_verifier: string; redirect_uri: string }

export async function codeFor(person: Client, client: FapiClient, changes: Ask = {}, how: How = {}): Promise<Redeemable> {
  const { back, code_verifier, redirect_uri } = await authorizePushed(person, client, changes, how)
  const code = back.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${back}`)
  return { code, code_verifier, redirect_uri }
}

export const redeem = (client: FapiClient, given: Redeemable, how: How = {}) =>
  client.post('/oauth/token', { grant_type: 'authorization_code', ...given }, how)

export const refreshAs = (client: FapiClient, refresh_token: string, how: How = {}) =>
  client.post('/oauth/token', { grant_type: 'refresh_token', refresh_token }, how)

/** All of it: the tokens of a signed-in person. */
export async function tokensFor(person: Client, client: FapiClient, changes: Ask = {}, how: How = {}): Promise<TokenAnswer> {
  return requireStatus(await redeem(client, await codeFor(person, client, changes, how), how), 200).json
}

/** The person's claims, asked with a bound token. `scheme` and the proof can be changed; `null`: no proof. */
export async function userinfo(
  http: Client,
  client: Pick<FapiClient, 'dpop'>,
  accessToken: string,
  how: { scheme?: string; proof?: How['proof']; header?: string; path?: string } = {},
) {
  const { scheme = 'DPoP', proof = {}, header = 'dpop', path = '/oauth/userinfo' } = how
  const url = proof?.url ?? `${http.origin}/oauth/userinfo`
  const made = proof && (await makeProof(proof.key ?? client.dpop, { method: 'GET', url, now: seconds(), accessToken }, proof))
  return http.get(path, { authorization: `${scheme} ${accessToken}`, ...(made === null ? {} : { [header]: made }) })
}
