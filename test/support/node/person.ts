/** What people, apps and operators ask of the server, for black-box tests: one line each. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, createClient, type Reply } from './http.ts'
import type { Server } from './server.ts'

export const PASSWORD = 'violet-otter-41-lantern'

export type Session = {
  sub: string
  sid: string
  email: string
  name: string | null
  roles: string[]
  auth_time: number
  acr: string
  amr: string[]
  created_at: number
  expires_at: number
}
export type AccessToken = { access_token: string; token_type: string; expires_in: number; scope: string }
export type Tokens = AccessToken & { refresh_token: string; sid: string }
export type Problem = {
  type: string
  title: string
  status: number
  code: string
  detail: string
  request_id?: string
  errors?: { pointer: string; detail: string }[]
}
export type Mail = { to: string; subject: string; text: string; links: string[]; at: number }
export type Claims = {
  iss: string
  sub: string
  aud: string
  sid: string
  scope: string
  roles: string[]
  iat: number
  exp: number
  ver: number
}

export const FRESHNESSES = ['offline', 'fresh', 'live'] as const
export type Freshness = (typeof FRESHNESSES)[number]

class NoCookies extends Map<string, string> {
  override set(): this {
    return this
  }
}

/** Keeps its cookies, as a browser does. It sends no Origin unless told to. */
export const browser = (origin: string): Client => createClient(origin)

/** Keeps no cookie: each request says by itself whom it is for. */
export const app = (origin: string): Client => createClient(origin, new NoCookies())

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export const operatorOf = (server: Server) => bearer(server.vars.ADMIN_TOKEN ?? '')

/** What a browser says of a request that one of the deployment's own pages makes. */
export const fromOwnPage = (server: Server) => ({ origin: server.vars.ISSUER ?? '' })

export function requireStatus<T>(reply: Reply<T>, status: number): Reply<T> {
  if (reply.status !== status) throw new Error(`${reply.status} instead of ${status}: ${reply.text.slice(0, 300)}`)
  return reply
}

export const codeOf = (reply: Reply<unknown>): string => (reply as Reply<Problem>).json.code

export async function signUp(client: Client, email: string, password = PASSWORD): Promise<Session> {
  return requireStatus(await client.post<Session>('/api/sign-up', { email, password }), 201).json
}

export async function signIn(client: Client, email: string, password = PASSWORD): Promise<Session> {
  return requireStatus(await client.post<Session>('/api/sign-in', { email, password }), 200).json
}

export async function signUpForTokens(client: Client, email: string, password = PASSWORD): Promise<Tokens> {
  return requireStatus(await client.post<Tokens>('/api/sign-up', { email, password, use: 'tokens' }), 201).json
}

export async function signInForTokens(client: Client, email: string, password = PASSWORD): Promise<Tokens> {
  return requireStatus(await client.post<Tokens>('/api/sign-in', { email, password, use: 'tokens' }), 200).json
}

export const refresh = (client: Client, refresh_token: string) => client.post<Tokens>('/api/refresh', { refresh_token })

export const demo = (client: Client, freshness: Freshness, token: string) => client.get(`/api/demo/${freshness}`, bearer(token))

/** The access token that the cookie of a browser vouches for. */
export async function hybridToken(client: Client, server: Server, body: object = {}): Promise<string> {
  return requireStatus(await client.post<AccessToken>('/api/token', body, fromOwnPage(server)), 200).json.access_token
}

/** The value of a cookie that a reply sets; undefined when it sets none. */
export function cookieOf(reply: Reply<unknown>, name = '__Host-session'): string | undefined {
  const line = reply.setCookies.find((text) => text.startsWith(`${name}=`))
  return line?.slice(name.length + 1).split(';')[0]
}

/** A cookie's attributes, without its value, sorted. */
export function attributesOf(reply: Reply<unknown>, name: string): string[] {
  const line = reply.setCookies.find((text) => text.startsWith(`${name}=`)) ?? ''
  return line
    .split(';')
    .slice(1)
    .map((attribute) => attribute.trim())
    .sort()
}

/** Mails of the development mailbox, newest first, to one address. */
export async function mailsTo(client: Client, email: string): Promise<Mail[]> {
  return requireStatus(await client.get<Mail[]>('/dev/mailbox.json'), 200).json.filter(({ to }) => to === email)
}

const segment = <T>(token: string, index: number): T => JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'))

export const headerOf = (token: string) => segment<{ alg: string; kid: string; typ: string }>(token, 0)
export const claimsOf = (token: string) => segment<Claims>(token, 1)

/** Asks every 50 ms until the status comes; answers the milliseconds that took. Throws when `limit` ms were not enough. */
export async function msUntil(limit: number, status: number, ask: () => Promise<Reply<unknown>>): Promise<number> {
  const started = performance.now()
  for (;;) {
    const reply = await ask()
    const ms = performance.now() - started
    if (ms > limit) throw new Error(`still ${reply.status} instead of ${status} after ${Math.round(ms)} ms`)
    if (reply.status === status) return ms
    await sleep(50)
  }
}
