/** What OAuth clients and the browsers they send to us ask of the server, for black-box tests: plain HTTP, so that every step can be changed. */
import { createHash, randomBytes } from 'node:crypto'
import type { Client, Reply } from './http.ts'
import { requireStatus } from './person.ts'

export const CALLBACK = 'https://app.example.com/callback'

export type Registered = {
  client_id: string
  client_secret?: string
  registration_access_token: string
  registration_client_uri: string
  token_endpoint_auth_method: string
  [member: string]: unknown
}

export type TokenAnswer = {
  access_token: string
  token_type: string
  expires_in: number
  scope: string
  refresh_token?: string
  id_token?: string
  issued_token_type?: string
  error?: string
  error_description?: string
}

export type OAuthProblem = { error: string; error_description: string }

/** Registers a client (RFC 7591); a public one unless the metadata says otherwise. */
export async function register(http: Client, metadata: object = {}): Promise<Registered> {
  const body = { redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none', client_name: 'Test app', ...metadata }
  return requireStatus(await http.post<Registered>('/oauth/register', body), 201).json
}

export function pkce() {
  const code_verifier = randomBytes(32).toString('base64url')
  return { code_verifier, code_challenge: createHash('sha256').update(code_verifier).digest('base64url') }
}

/** `client_secret_basic` (RFC 6749, 2.3.1). */
export const basic = ({ client_id, client_secret = '' }: Pick<Registered, 'client_id' | 'client_secret'>) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`).toString('base64')}`,
})

export type Ask = Record<string, string | undefined>

/** The query of a good authorization request, with changes; undefined takes a parameter away. */
export function authorizationQuery(client: Registered, challenge: string, changes: Ask = {}): string {
  const parameters = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    scope: 'openid',
    state: 'the-state',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  }
  return new URLSearchParams(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined)).toString()
}

/** The sealed interaction in a page's form. */
export function interactionIn(page: Reply<unknown>): string {
  const value = /name="interaction"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="interaction"/.exec(page.text)
  const sealed = value?.[1] ?? value?.[2]
  if (sealed === undefined) throw new Error(`${page.status} is no page with an interaction: ${page.text.slice(0, 400)}`)
  return sealed
}

export const locationOf = (reply: Reply<unknown>): URL => new URL(reply.headers.location ?? '', 'http://no.location')

/** What a browser on our own page posts. */
export const decide = (person: Client, interaction: string, decision: string) =>
  person.post('/consent', new URLSearchParams({ interaction, decision }), { origin: person.origin })

/** Goes the way of a signed-in person who allows what is asked; answers the address that they are sent back to. */
export async function authorize(person: Client, query: string): Promise<URL> {
  let reply = await person.get(`/oauth/authorize?${query}`)
  // A pushed request goes on under our own seal.
  if (reply.status === 303 && locationOf(reply).pathname === '/oauth/authorize') reply = await person.get(reply.headers.location ?? '')
  if (reply.status === 200) reply = await decide(person, interactionIn(reply), 'allow')
  return locationOf(requireStatus(reply, 303))
}

/** A code that a signed-in person has allowed, with the verifier that belongs to it. */
export async function codeFor(person: Client, client: Registered, changes: Ask = {}) {
  const { code_verifier, code_challenge } = pkce()
  const back = await authorize(person, authorizationQuery(client, code_challenge, changes))
  const code = back.searchParams.get('code')
  if (code === null) throw new Error(`no code: ${back}`)
  return { code, code_verifier, redirect_uri: changes.redirect_uri ?? CALLBACK }
}

/** How a registered client says who it is: in the header, or in the form. */
export function asClient(client: Registered): { form: Record<string, string>; headers: Record<string, string> } {
  if (client.token_endpoint_auth_method === 'client_secret_basic') return { form: {}, headers: basic(client) }
  const secret = client.token_endpoint_auth_method === 'client_secret_post' ? { client_secret: client.client_secret ?? '' } : {}
  return { form: { client_id: client.client_id, ...secret }, headers: {} }
}

/** Posts a form to an OAuth endpoint as a client. */
export function postAs<T = TokenAnswer>(http: Client, path: string, client: Registered, form: Record<string, string>, headers = {}) {
  const as = asClient(client)
  return http.post<T>(path, new URLSearchParams({ ...as.form, ...form }), { ...as.headers, ...headers })
}

export const redeem = (http: Client, client: Registered, given: { code: string; code_verifier: string; redirect_uri: string }) =>
  postAs(http, '/oauth/token', client, { grant_type: 'authorization_code', ...given })

export const refreshAs = (http: Client, client: Registered, refresh_token: string, form: Record<string, string> = {}) =>
  postAs(http, '/oauth/token', client, { grant_type: 'refresh_token', refresh_token, ...form })

/** Authorization and redemption in one: the tokens of a signed-in person for a client. */
export async function tokensFor(http: Client, person: Client, client: Registered, changes: Ask = {}): Promise<TokenAnswer> {
  return requireStatus(await redeem(http, client, await codeFor(person, client, changes)), 200).json
}
