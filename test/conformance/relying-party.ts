/**
 * The relying party of the OpenID conformance suite: registers dynamically, sends no PKCE unless told to, and checks each answer as the
 * suite's standard conditions do (they are named where they are not obvious).
 */
import { createHash, randomBytes } from 'node:crypto'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expect } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import { type Ask, postAs, type Registered, register, type TokenAnswer } from '../support/node/oauth.ts'
import { bearer } from '../support/node/person.ts'
import { type Arrival, type Credentials, visit } from './journey.ts'

export const REDIRECT = 'https://rp.example.com/callback'
export const LOGGED_OUT = 'https://rp.example.com/logged-out'

const now = () => Math.floor(Date.now() / 1000)
const random = (bytes = 16) => randomBytes(bytes).toString('base64url')

/** A client as the Basic plan registers it: it may leave out PKCE and nonce. */
export const registerParty = (http: Client, metadata: object = {}): Promise<Registered> =>
  register(http, {
    redirect_uris: [REDIRECT],
    post_logout_redirect_uris: [LOGGED_OUT],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'client_secret_basic',
    legacy_oidc: true,
    ...metadata,
  })

/** What the suite sends to the authorization endpoint; undefined takes a parameter away. */
export function request(client: Registered, changes: Ask = {}): Record<string, string> {
  const parameters: Ask = {
    client_id: client.client_id,
    redirect_uri: REDIRECT,
    scope: 'openid',
    state: random(),
    nonce: random(),
    response_type: 'code',
    ...changes,
  }
  return Object.fromEntries(Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

export const pathOf = (sent: Record<string, string>) => `/oauth/authorize?${new URLSearchParams(sent)}`

const placeOf = (url: URL) => `${url.origin}${url.pathname}`

/** Where the answer came and what it says; whose it is (RFC 9207), and the state as it was sent. */
function readCallback(arrival: Arrival, sent: Record<string, string>, issuer: string): URLSearchParams {
  const { url, last } = arrival
  if (!url) throw new Error(`no callback: ${last.status} ${last.text.slice(0, 300)}`)
  expect(placeOf(url)).toBe(REDIRECT)
  expect(url.hash).toBe('')
  expect(url.searchParams.get('iss')).toBe(issuer)
  expect(url.searchParams.get('state')).toBe(sent.state ?? null)
  return url.searchParams
}

/** CheckIfAuthorizationEndpointError and what follows it. */
export function codeIn(arrival: Arrival, sent: Record<string, string>, issuer: string): string {
  const answer = readCallback(arrival, sent, issuer)
  expect(answer.get('error')).toBe(null)
  expect([...answer.keys()].sort()).toEqual(['code', 'iss', ...(sent.state === undefined ? [] : ['state'])])
  return answer.get('code') ?? ''
}

/** performGenericAuthorizationEndpointErrorResponseValidation: the error, told at the client's address, beside nothing that is not of it. */
export function errorIn(arrival: Arrival, sent: Record<string, string>, issuer: string): string {
  const answer = readCallback(arrival, sent, issuer)
  expect(answer.has('code')).toBe(false)
  expect([...answer.keys()].filter((name) => !['error', 'error_description', 'error_uri', 'state', 'iss'].includes(name))).toEqual([])
  expect(answer.get('error_description')).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
  return answer.get('error') ?? ''
}

export const PRINTABLE = /^[\x21-\x7e]+$/

/** RFC 6749, 5.1. */
export function checkTokenAnswer(reply: Reply<TokenAnswer>): TokenAnswer {
  expect(reply.status, reply.text).toBe(200)
  expect(reply.headers['content-type']).toMatch(/^application\/json\b/)
  expect(reply.headers['cache-control']).toContain('no-store')
  expect(reply.headers.pragma).toBe('no-cache')
  const { access_token, token_type, expires_in } = reply.json
  expect(access_token).toMatch(PRINTABLE)
  expect(token_type.toLowerCase()).toBe('bearer')
  expect(expires_in).toBeGreaterThan(0)
  return reply.json
}

/** RFC 6749, 5.2. */
export function checkTokenError(reply: Reply<TokenAnswer>, error: string): void {
  expect(reply.status).toBe(400)
  expect(reply.headers['content-type']).toMatch(/^application\/json\b/)
  expect(reply.json.error).toBe(error)
  expect(reply.json.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
}

/** EnsureMinimum...Entropy: bits by Shannon's measure; 128 random ones must measure at least 96. */
export function entropyOf(text: string): number {
  const counts = [...Map.groupBy(text, (character) => character).values()].map((each) => each.length / text.length)
  return text.length * counts.reduce((bits, share) => bits - share * Math.log2(share), 0)
}

/** Claims of an ID token that belong to no scope: how, when, by whom, for whom. */
const TECHNICAL = ['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid', 'at_hash']

const OPENED: Record<string, string[]> = { profile: ['name'], email: ['email', 'email_verified'] }

/** PerformStandardIdTokenChecks, and `at_hash` (OpenID Connect Core, 3.1.3.6 and 3.1.3.7). */
export async function checkIdToken(issuer: string, client: Registered, tokens: TokenAnswer, nonce: string | undefined) {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', issuer))
  const { payload, protectedHeader } = await jwtVerify(tokens.id_token ?? '', keys, {
    issuer,
    audience: client.client_id,
    algorithms: ['RS256'],
    requiredClaims: ['sub', 'exp', 'iat', 'auth_time'],
    maxTokenAge: 300,
  })
  expect(protectedHeader.kid).toEqual(expect.any(String))
  expect(payload.nonce).toBe(nonce)
  expect(payload.sub).toMatch(/^[\x21-\x7e]{1,255}$/)
  expect(payload.acr).toMatch(/./)
  expect(payload.auth_time).toBeLessThanOrEqual(now())
  expect(payload.at_hash).toBe(createHash('sha256').update(tokens.access_token).digest().subarray(0, 16).toString('base64url'))
  // A person's own claims are here as at userinfo, where most libraries look first; the suite only warns of them (Core, 5.4).
  const opened = tokens.scope.split(' ').flatMap((scope) => OPENED[scope] ?? [])
  expect(Object.keys(payload).filter((name) => !TECHNICAL.includes(name) && !opened.includes(name))).toEqual([])
  return payload
}

export type Completed = {
  client: Registered
  arrival: Arrival
  sent: Record<string, string>
  code: string
  tokens: TokenAnswer
  claims: Awaited<ReturnType<typeof checkIdToken>>
}

export type Party = ReturnType<typeof partyOf>

/** The suite's flow for one issuer: `http` is the client's own connection, each person comes with a browser. */
export function partyOf(http: Client, who: Credentials) {
  const issuer = http.origin

  const exchange = (client: Registered, code: string, form: Record<string, string> = {}) =>
    postAs(http, '/oauth/token', client, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, ...form })

  /** From the callback on: the code, the tokens, the ID token, and a call of userinfo. */
  async function finish(client: Registered, sent: Record<string, string>, arrival: Arrival, form: Record<string, string> = {}) {
    const code = codeIn(arrival, sent, issuer)
    const tokens = checkTokenAnswer(await exchange(client, code, form))
    const claims = await checkIdToken(issuer, client, tokens, sent.nonce)
    const reply = await userinfo(tokens.access_token)
    expect(reply.status).toBe(200)
    checkUserinfo(reply, claims.sub)
    return { client, sent, arrival, code, tokens, claims } satisfies Completed
  }

  async function complete(person: Client, client: Registered, changes: Ask = {}, form: Record<string, string> = {}): Promise<Completed> {
    const sent = request(client, changes)
    return finish(client, sent, await visit(person, pathOf(sent), who), form)
  }

  const userinfo = (token: string) => http.get<Record<string, unknown>>('/oauth/userinfo', bearer(token))

  /** OpenID Connect Core, 5.3.2. */
  function checkUserinfo(reply: Reply, sub: string | undefined): Record<string, unknown> {
    expect(reply.status, reply.text).toBe(200)
    expect(reply.headers['content-type']).toMatch(/^application\/json\b/)
    expect(reply.json.sub).toBe(sub)
    return reply.json
  }

  /** Asks with `prompt=none`; what comes back without a person having been asked anything. */
  async function silently(person: Client, client: Registered, changes: Ask = {}) {
    const sent = request(client, { prompt: 'none', state: random(96), ...changes })
    const arrival = await visit(person, pathOf(sent), who)
    expect(arrival.shown).toEqual([])
    return { sent, arrival }
  }

  return { issuer, http, who, exchange, finish, complete, userinfo, checkUserinfo, silently }
}
