// `sallyport/hono`: `authenticate` loads who is calling; `requireScope`, `requireRole` and `requireRecentSignIn` decide what they may do.

import type { Context, Env, MiddlewareHandler } from 'hono'
import { includesScope } from '../protocol/scope.ts'
import type { VerifiedToken, Verifier } from './create-verifier.ts'
import { TokenError } from './token-error.ts'
import type { Freshness } from './verifier-options.ts'

/** What `authenticate` puts into the context: `c.get('auth')`. */
export type AuthVariables = { auth: VerifiedToken }

type AuthEnv = { Variables: AuthVariables }

/** Answers a refusal. Without one, the refusal answers itself (`TokenError.getResponse`). To use the app's own mapping, throw it. */
export type OnTokenError = (error: TokenError, c: Context) => Response | Promise<Response>

/** `onError` takes over how a refusal is answered. */
export type RefusalOptions = { onError?: OnTokenError }

/** Verifies the bearer token of each request and sets `c.get('auth')`; refuses the request otherwise. */
export function authenticate<E extends Env & AuthEnv = AuthEnv>(
  options: { verifier: Verifier; freshness?: Freshness } & RefusalOptions,
): MiddlewareHandler<E> {
  const { verifier, freshness, onError } = options
  return async function authenticate(c, next) {
    // Asked for only when there is background work: the context's getter throws where there is no execution context.
    const waitUntil = (work: Promise<unknown>): void => keepAlive(c, work)
    try {
      c.set('auth', await verifier.verify(c.req.raw, freshness === undefined ? { waitUntil } : { freshness, waitUntil }))
    } catch (error) {
      return answer(error, c, onError)
    }
    return next()
  }
}

/** Lets through tokens that hold every one of the scopes, given as a scope string or a list. */
export function requireScope(scope: string | readonly string[], options: RefusalOptions = {}): MiddlewareHandler<AuthEnv> {
  const needed = typeof scope === 'string' ? scope : scope.join(' ')
  return async function requireScope(c, next) {
    if (includesScope(signedIn(c).claims.scope, needed)) return next()
    return answer(new TokenError('insufficient_scope', `needs ${needed}`, { scope: needed }), c, options.onError)
  }
}

/** Lets through accounts with the role, or with any one of a list. */
export function requireRole(role: string | readonly string[], options: RefusalOptions = {}): MiddlewareHandler<AuthEnv> {
  const accepted = typeof role === 'string' ? [role] : role
  return async function requireRole(c, next) {
    const held = signedIn(c).claims.roles ?? []
    if (accepted.some((name) => held.includes(name))) return next()
    return answer(new TokenError('insufficient_role', `needs ${accepted.join(' or ')}`), c, options.onError)
  }
}

/**
 * Lets through people who signed in at most `maxAge` seconds ago (RFC 9470). A token without `auth_time` is no proof of any sign-in.
 * `nowMs` is the clock, for tests.
 */
export function requireRecentSignIn(maxAge: number, options: RefusalOptions & { nowMs?: () => number } = {}): MiddlewareHandler<AuthEnv> {
  const nowMs = options.nowMs ?? (() => Date.now())
  return async function requireRecentSignIn(c, next) {
    const since = signedIn(c).claims.auth_time
    if (since !== undefined && nowMs() / 1000 - since <= maxAge) return next()
    return answer(new TokenError('reauthentication_required', 'the sign-in is too old', { max_age: maxAge }), c, options.onError)
  }
}

function signedIn(c: Context<AuthEnv>): VerifiedToken {
  // Typed as always there, but a route may have forgotten `authenticate`: that must be an error, not a pass.
  const auth: VerifiedToken | undefined = c.get('auth')
  if (auth === undefined) throw new Error('authenticate() must stand before the requirements of a route')
  return auth
}

function answer(error: unknown, c: Context, onError: OnTokenError | undefined): Response | Promise<Response> {
  if (!(error instanceof TokenError)) throw error
  return onError === undefined ? error.getResponse() : onError(error, c)
}

function keepAlive(c: Context, work: Promise<unknown>): void {
  try {
    c.executionCtx.waitUntil(work)
  } catch {
    // Node and the like: nothing stops the work there.
  }
}
