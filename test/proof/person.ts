/** What people and operators ask of the server, one line each. No cookie is kept: each request says by itself whom it is for. */
import { type Client, createClient, type Reply } from '../support/node/http.ts'
import type { Server } from '../support/node/server.ts'

export const PASSWORD = 'violet-otter-41-lantern'

export type Tokens = { access_token: string; refresh_token: string; sid: string; expires_in: number }
export type Freshness = 'offline' | 'fresh' | 'live'

class NoCookies extends Map<string, string> {
  override set(): this {
    return this
  }
}

export const connect = (origin: string): Client => createClient(origin, new NoCookies())

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export const operatorOf = (server: Server) => bearer(server.vars.ADMIN_TOKEN ?? '')

export function requireStatus<T>(reply: Reply<T>, status: number): Reply<T> {
  if (reply.status !== status) throw new Error(`${reply.status} instead of ${status}: ${reply.text.slice(0, 300)}`)
  return reply
}

export const refresh = (client: Client, refresh_token: string) => client.post<Tokens>('/api/refresh', { refresh_token })

export const demo = (client: Client, freshness: Freshness, token: string) => client.get(`/api/demo/${freshness}`, bearer(token))

async function started(client: Client, path: string, status: number, email: string, password: string): Promise<Tokens> {
  return requireStatus(await client.post<Tokens>(path, { email, password, use: 'tokens' }), status).json
}

export const signUp = (client: Client, email: string, password = PASSWORD) => started(client, '/api/sign-up', 201, email, password)
export const signIn = (client: Client, email: string, password = PASSWORD) => started(client, '/api/sign-in', 200, email, password)

/** The named cookie of a reply, as `name=value`; empty when it sets none. */
export function cookieOf(reply: Reply<unknown>, name = '__Host-session'): string {
  const line = reply.setCookies.find((text) => text.startsWith(`${name}=`)) ?? ''
  return line.split(';')[0] ?? ''
}

type Claims = { sub: string; sid: string; iat: number; exp: number }

const segment = <T>(token: string, index: number): T => JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString('utf8'))

export const claimsOf = (token: string): Claims => segment(token, 1)
export const kidOf = (token: string): string => segment<{ kid: string }>(token, 0).kid

/** The number of a refresh token's generation: behind version, purpose and secret id (6 bytes), account and family (16 each). */
export const generationOf = (refreshToken: string): number => Buffer.from(refreshToken, 'base64url').readUInt32BE(38)

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs `work` for 0 to count - 1, at most `lanes` at a time. */
export async function inLanes(count: number, lanes: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (next < count) await work(next++)
    }),
  )
}
