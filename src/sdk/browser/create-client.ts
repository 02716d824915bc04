import { createApi } from './api.ts'
import { createBearerFetch } from './bearer-fetch.ts'
import { ClientError } from './client-error.ts'
import type { TokenRequest } from './held-token.ts'
import { readSession, type Session } from './session.ts'
import type { SessionChange } from './tab-message.ts'
import { TokenSource } from './token-source.ts'

export type ClientOptions = {
  /** Sallyport's origin. Default: the page's own. Another one must be of the same site and name this page in `ALLOWED_ORIGINS`. */
  baseUrl?: string
  /** Whom access tokens are for, one of `AUDIENCES`. Default: Sallyport itself. */
  audience?: string
  /** Scope tokens separated by a space. Default: the service's. */
  scope?: string
  /** Origins that `fetch` may carry the token to. Default: the audience's, or `baseUrl` without an audience. */
  allowedOrigins?: readonly string[]
  /** In place of the global one. */
  fetch?: typeof globalThis.fetch
}

export type Client = {
  /** The session of this browser, or null when nobody is signed in. Asks the service each time. */
  getSession(): Promise<Session | null>
  /** Makes an account. The session, signed in at once; or null when a mail must be answered first. */
  signUp(account: { email: string; password: string; name?: string }): Promise<Session | null>
  /** Signs in with a password. The earlier session of this browser ends. */
  signIn(credentials: { email: string; password: string }): Promise<Session>
  /** Ends the session, in all tabs. Rejects with `unavailable` (503) when not every verifier knows yet: repeat after `retryAfter`. */
  signOut(): Promise<void>
  /** An access token of a few minutes, from memory where there is one. One request serves all tabs. `no_session`: nobody is signed in. */
  getAccessToken(options?: { forceRefresh?: boolean }): Promise<string>
  /**
   * As the global `fetch`, with the access token; no cookies and no redirects unless `init` asks for them. Repeats once, with a new token,
   * what was refused as `outdated` or `expired`.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /** Calls back when someone signs in or out in any tab, or when an answer of the service shows that it happened. Answers how to stop. */
  onChange(listener: (change: SessionChange) => void): () => void
  /** Stops listening to other tabs. For a page that drops the client before it ends. */
  close(): void
}

/**
 * Makes a client; make one for each audience and keep it. Nothing is stored: the session is an HttpOnly cookie, the access token lives in
 * memory. Methods reject with `ClientError`. Throws TypeError naming the option that is wrong.
 */
export function createClient(options: ClientOptions = {}): Client {
  const { baseUrl, allowedOrigins, request, fetch } = readOptions(options)
  const callApi = createApi(baseUrl, fetch)
  const listeners = new Set<(change: SessionChange) => void>()
  const source = new TokenSource(baseUrl, request, callApi, (change) => {
    for (const listener of [...listeners]) listener(change)
  })
  return {
    getSession: () => source.session(async () => requireSession(await callApi('GET', '/api/session'))),
    async signUp(account) {
      const answer = await callApi('POST', '/api/sign-up', account)
      if (answer.status === 202) return null
      const session = requireSession(answer)
      source.change('signed-in')
      return session
    },
    async signIn(credentials) {
      const session = requireSession(await callApi('POST', '/api/sign-in', credentials))
      source.change('signed-in')
      return session
    },
    async signOut() {
      try {
        await callApi('POST', '/api/sign-out', {})
      } catch (error) {
        // Another tab was faster.
        if (!(error instanceof ClientError) || error.code !== 'no_session') throw error
      }
      source.change('signed-out')
    },
    getAccessToken: async ({ forceRefresh = false } = {}) => (await (forceRefresh ? source.renewed() : source.get())).accessToken,
    fetch: createBearerFetch(source, allowedOrigins, fetch),
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => source.close(),
  }
}

function requireSession({ status, json }: { status: number; json: unknown }): Session {
  const session = readSession(json)
  if (session === null) throw new ClientError('unexpected_response', 'The service answered no session.', { status })
  return session
}

type Settings = { baseUrl: string; allowedOrigins: ReadonlySet<string>; request: TokenRequest; fetch: typeof globalThis.fetch }

function readOptions({ baseUrl, audience, scope, allowedOrigins, fetch }: ClientOptions): Settings {
  const base = baseUrl ?? globalThis.location?.origin
  if (!isOrigin(base)) throw new TypeError('baseUrl: an origin without a trailing slash is needed, such as https://auth.example.com')
  const target = audience ?? base
  if (allowedOrigins === undefined && !/^https?:/.test(target))
    throw new TypeError('allowedOrigins: needed, for the audience is no address')
  const origins = allowedOrigins ?? [new URL(target).origin]
  if (!origins.every(isOrigin)) throw new TypeError('allowedOrigins: each must be an origin without a trailing slash')
  return {
    baseUrl: base,
    allowedOrigins: new Set(origins),
    request: { ...(audience === undefined ? {} : { audience }), ...(scope === undefined ? {} : { scope }) },
    // Called as a plain function: the browser's own refuses to be a method of anything else.
    fetch: (input, init) => (fetch ?? globalThis.fetch)(input, init),
  }
}

const isOrigin = (text: unknown): text is string => typeof text === 'string' && URL.canParse(text) && new URL(text).origin === text
