// `sallyport/hono`: `authenticate` (or `authenticated`) loads who is calling; `requireScope`, `requireRole` and `requireRecentSignIn` decide what they may do.

import type { Context, Env, Handler, Input, MiddlewareHandler, Next } from 'hono'
import type { BlankInput } from 'hono/types'
import type { VerifiedToken, Verifier, VerifyCall } from './create-verifier.ts'
import { findLack, type Requirements } from './requirements.ts'
import { TokenError } from './token-error.ts'
import { type Freshness, requireSound } from './verifier-options.ts'

/** What `authenticate` puts into the context: `c.get('auth')` (or `c.var.auth`), and the verifier's `resourceMetadata` for challenges. */
export type AuthVariables = { auth: VerifiedToken; resourceMetadata?: string }

export { type ProtectedResource, protectedResourceMetadata } from './protected-resource.ts'

type AuthEnv = { Variables: AuthVariables }

/** Answers a refusal. Without one, the refusal answers itself (`TokenError.getResponse`). To use the app's own mapping, throw it. */
export type OnTokenError = (error: TokenError, c: Context) => Response | Promise<Response>

/** `onError` takes over how a refusal is answered. */
export type RefusalOptions = { onError?: OnTokenError }

/** A verifier, or that of `sallyport/dpop`. */
export type RequestVerifier = Pick<Verifier, 'resourceMetadata'> &
  Partial<Pick<Verifier, 'verifyNow'>> & {
    verify(request: Request, call?: Pick<VerifyCall, 'freshness' | 'waitUntil'>): Promise<VerifiedToken>
  }

/** What is asked of each request: a token of this verifier, and how current the answer must be. */
export type AuthenticateOptions = { verifier: RequestVerifier; freshness?: Freshness } & RefusalOptions

/** Verifies the token of each request and sets `c.get('auth')`; refuses the request otherwise. */
export function authenticate<E extends Env & AuthEnv = AuthEnv>(options: AuthenticateOptions): MiddlewareHandler<E> {
  const enter = doorOf(options)
  return function authenticate(c, next) {
    return enter<void, Promise<void>>(c, next)
  }
}

/**
 * A handler behind `authenticate`, as one handler: `app.get('/me', authenticated({ verifier }, (c) => ...))`. Hono calls a lone handler
 * directly, and composes several with promises: for a token seen before, that is a good part of what its check costs.
 */
export function authenticated<P extends string, R extends Response, E extends Env & AuthEnv = AuthEnv, I extends Input = BlankInput>(
  options: AuthenticateOptions,
  handler: (c: Context<E, P, I>, next: Next) => R | Promise<R>,
): Handler<E, P, I, R | Promise<R | Response>> {
  const enter = doorOf(options)
  return function authenticated(c, next) {
    return enter<R, R | Promise<R>>(c, () => handler(c, next))
  }
}

/** Lets a request in, or answers its refusal. Nothing is waited for where the verifier need not wait. */
function doorOf({ verifier, freshness, onError }: AuthenticateOptions) {
  const { resourceMetadata } = verifier
  const admit = (c: Context, auth: VerifiedToken): void => {
    c.set('auth', auth)
    if (resourceMetadata !== undefined) c.set('resourceMetadata', resourceMetadata)
  }
  return <R, Going extends R | Promise<R>>(c: Context, go: () => Going): Going | Promise<R | Response> => {
    // Asked for only when there is background work: the context's getter throws where there is no execution context.
    const waitUntil = (work: Promise<unknown>): void => keepAlive(c, work)
    const call = freshness === undefined ? { waitUntil } : { freshness, waitUntil }
    let auth: VerifiedToken | Promise<VerifiedToken>
    try {
      auth = verifier.verifyNow ? verifier.verifyNow(c.req.raw, call) : verifier.verify(c.req.raw, call)
    } catch (error) {
      return answer(error, c, onError)
    }
    // By what it has, not by what it is no instance of: where somebody has replaced the global `Promise`, an async function's is none.
    if (!('claims' in auth)) {
      return auth.then(
        (late): R | Promise<R> => {
          admit(c, late)
          return go()
        },
        (error) => answer(error, c, onError),
      )
    }
    admit(c, auth)
    return go()
  }
}

/**
 * Lets through tokens that hold every one of the scopes, given as a scope string or a list. It throws TypeError, like those below, for what
 * everybody would meet: an empty scope, or one that is not there.
 */
export function requireScope(scope: string | readonly string[], options: RefusalOptions = {}): MiddlewareHandler<AuthEnv> {
  requireSound({ scope })
  return async function requireScope(c, next) {
    return (await refusal({ scope }, c, options)) ?? next()
  }
}

/** Lets through accounts with the role, or with any one of a list. */
export function requireRole(roles: string | readonly string[], options: RefusalOptions = {}): MiddlewareHandler<AuthEnv> {
  requireSound({ roles })
  return async function requireRole(c, next) {
    return (await refusal({ roles }, c, options)) ?? next()
  }
}

/**
 * Lets through people who signed in at most `max_age` seconds ago, and by one of `acr_values` if given (RFC 9470). A token without
 * `auth_time` is no proof of any sign-in. `nowMs` is the clock, for tests.
 */
export function requireRecentSignIn(
  max_age: number,
  options: RefusalOptions & { acr_values?: string | readonly string[]; nowMs?: () => number } = {},
): MiddlewareHandler<AuthEnv> {
  const { acr_values, nowMs } = options
  const requires = acr_values === undefined ? { max_age } : { max_age, acr_values }
  requireSound(requires)
  return async function requireRecentSignIn(c, next) {
    return (await refusal(requires, c, options, nowMs?.())) ?? next()
  }
}

async function refusal(
  requires: Requirements,
  c: Context<AuthEnv>,
  { onError }: RefusalOptions,
  nowMs: number = Date.now(),
): Promise<Response | null> {
  const lack = findLack(signedIn(c).claims, requires, nowMs / 1000)
  if (lack === null) return null
  const needs = { ...lack.needs, resource_metadata: c.get('resourceMetadata') }
  return answer(new TokenError(lack.code, lack.reason, needs), c, onError)
}

function signedIn(c: Context<AuthEnv>): VerifiedToken {
  // Typed as always there, but a route may have forgotten `authenticate`: that must be an error, not a pass.
  const auth: VerifiedToken | undefined = c.get('auth')
  if (auth === undefined) throw new Error('authenticate() must stand before the requirements of a route')
  return auth
}

async function answer(error: unknown, c: Context, onError: OnTokenError | undefined): Promise<Response> {
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
