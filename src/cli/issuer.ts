/** What the command asks of an issuer: its metadata (RFC 8414), and its endpoints. */
import { plain, Refusal } from './refusal.ts'

/** Milliseconds for one request. */
export const REQUEST_TIMEOUT_MS = 10_000

const ENDPOINTS = ['device_authorization_endpoint', 'token_endpoint', 'revocation_endpoint', 'userinfo_endpoint'] as const
type Endpoint = (typeof ENDPOINTS)[number]

export type Issuer = { issuer: string } & Record<Endpoint, string>

/** What an endpoint has answered; `status` 0 when it could not be reached at all. */
export type Answer = { status: number; body: Readonly<Record<string, unknown>>; reason: string }

/** The origin of an issuer as somebody types it. */
export function readIssuer(text: string): string {
  if (!URL.canParse(text)) throw new Refusal('--issuer must be a URL.')
  const url = new URL(text)
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.username !== '' || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))) {
    throw new Refusal('--issuer must be an https URL, or http on this machine.')
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw new Refusal('--issuer must be an origin, without a path.')
  return url.origin
}

/** Its endpoints; every one of them is its own, so that no document sends secrets elsewhere. */
export async function discover(issuer: string): Promise<Issuer> {
  const answer = await ask(`${issuer}/.well-known/oauth-authorization-server`, {})
  if (answer.status !== 200 || answer.body.issuer !== issuer) {
    throw new Refusal(`${issuer} cannot be asked: ${answer.status === 200 ? 'it names itself otherwise' : answer.reason}.`)
  }
  const entries = ENDPOINTS.map((name) => {
    const address = answer.body[name]
    if (typeof address !== 'string' || !URL.canParse(address) || new URL(address).origin !== issuer) {
      throw new Refusal(`${issuer} has no ${name} of its own.`)
    }
    return [name, address] as const
  })
  return { issuer, ...(Object.fromEntries(entries) as Record<Endpoint, string>) }
}

/** Posts a form; empty fields are left out, a list is a repeated field. */
export function postForm(address: string, fields: Record<string, string | string[]>): Promise<Answer> {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(fields)) for (const item of [value].flat()) if (item !== '') form.append(name, item)
  return ask(address, { method: 'POST', body: form })
}

export const getWith = (address: string, token: string): Promise<Answer> => ask(address, { headers: { authorization: `Bearer ${token}` } })

async function ask(address: string, init: RequestInit): Promise<Answer> {
  try {
    const response = await fetch(address, { ...init, redirect: 'error', signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    const text = await response.text()
    const body = readObject(text)
    return { status: response.status, body, reason: reasonOf(response.status, body) }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return { status: 0, body: {}, reason: plain(cause instanceof Error ? cause.message : String(cause)) || 'no answer' }
  }
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function reasonOf(status: number, body: Readonly<Record<string, unknown>>): string {
  const said = [body.error, body.error_description].filter((part) => typeof part === 'string')
  return said.length > 0 ? plain(said.join(': ')).replace(/\.$/, '') : `it answers ${status}`
}
