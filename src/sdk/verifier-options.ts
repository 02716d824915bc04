// What `createVerifier` may be told, checked once: a wrong option stops the program at its start, not a request later.

import { ACCESS_TOKEN_LIFETIME, CLOCK_SKEW } from '../protocol/claims.ts'
import type { IssuerSource, VerifierBinding } from './binding.ts'
import { type Fetch, httpIssuer, type Introspection } from './http-issuer.ts'
import type { Algorithm } from './parse-token.ts'
import type { PushedFeed } from './pushed-feed.ts'
import { listOf, type Requirements } from './requirements.ts'
import { isText } from './strict-json.ts'

/**
 * How current an answer must be. `offline`: the token alone, refused at its `exp` only. `fresh`: the local view of the revocation list,
 * at most `staleAfter` old. `live`: the issuer is asked each time.
 */
export type Freshness = 'offline' | 'fresh' | 'live'

/** Where the issuer's keys and list come from: `binding` by RPC, else HTTP; `jwks` in place of fetched keys. */
export type VerifierOptions = {
  /** The issuer: an https origin, or http on a loopback host. No trailing slash. */
  issuer: string
  /** The audience or audiences that this service answers to; a token must name one of them. */
  audience: string | readonly string[]
  /** On Cloudflare: a service binding to Sallyport's `Verifier` entrypoint. */
  binding?: VerifierBinding
  /** How the issuer is asked for `live` where there is no binding: `introspection()` of `sallyport/introspection`. Wins over a binding. */
  introspection?: Introspection
  /** The issuer's keys by value (RFC 7517 5), in place of those it publishes: then no key is ever fetched, or found after a rotation. */
  jwks?: { keys: readonly object[] }
  /** How HTTP requests are sent where there is no binding. Default: the global `fetch`. */
  fetch?: Fetch
  /** How the revocation list is followed: `poll` (default), or `websocketFeed()` of `sallyport/websocket` where a process stays up. */
  feed?: 'poll' | PushedFeed
  /** What every token must have here. Default: nothing more than to be valid. */
  requires?: Requirements
  /** The address of this service's protected resource metadata; challenges then name it (RFC 9728 5.1). */
  resourceMetadata?: string
  /** For calls that do not say. Default `fresh`. */
  freshness?: Freshness
  /** Signature algorithms to accept. Default ES256, EdDSA and RS256; each key is good for one of them only. */
  algorithms?: readonly Algorithm[]
  /** Seconds of difference between clocks to forgive in `exp` and `iat`, 0 to 10. Default 0. */
  clockTolerance?: number
  /** Seconds: tokens with a longer life are refused. Default and most: the issuer's 300. */
  maxLifetime?: number
  /** Milliseconds until the view of the revocation list is refreshed in the background. Default 1000. */
  freshFor?: number
  /** Milliseconds until the view is no longer relied on: the bound of `fresh`. Default 5000, at most 60,000. */
  staleAfter?: number
  /** Milliseconds between two fetches of the keys because of an unknown `kid`. Default 1000. */
  keyCooldown?: number
  /** How many verified tokens to remember, so that they are not verified again. Default 10,000; 0 = none. */
  memory?: number
  /**
   * When `fresh` can reach neither the feed nor the issuer: `refuse` with a 503 (default), or `accept-stale`, a WEAKENING: revoked tokens
   * are then accepted until their `exp` while the issuer is out of reach.
   */
  onUnavailable?: 'refuse' | 'accept-stale'
  /** The clock, in milliseconds since 1970. For tests. */
  nowMs?: () => number
}

export type VerifierSettings = {
  issuer: string
  audiences: readonly string[]
  source: IssuerSource
  /** Undefined where nobody can be asked. */
  check: VerifierBinding['check'] | undefined
  feed: PushedFeed | null
  requires: Requirements | undefined
  resourceMetadata: string | undefined
  freshness: Freshness
  algorithms: readonly Algorithm[]
  clockTolerance: number
  maxLifetime: number
  freshFor: number
  staleAfter: number
  keyCooldown: number
  memory: number
  onUnavailable: 'refuse' | 'accept-stale'
  nowMs: () => number
}

type IntegerOption = 'clockTolerance' | 'maxLifetime' | 'freshFor' | 'staleAfter' | 'keyCooldown' | 'memory'

const allAlgorithms: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256']
const freshnesses: readonly Freshness[] = ['offline', 'fresh', 'live']
const TEXTS = 'a string or a list of some'
const requirementNames = ['scope', 'roles', 'acr_values', 'max_age']
const loopback = ['localhost', '127.0.0.1', '[::1]']

/** The options with their defaults. Throws TypeError naming the option that is wrong. */
export function readVerifierOptions(options: VerifierOptions): VerifierSettings {
  const { issuer, audience, binding, introspection, jwks, feed = 'poll', requires, resourceMetadata } = options
  const { algorithms = allAlgorithms, freshness = 'fresh', onUnavailable = 'refuse', nowMs = () => Date.now() } = options
  need(isOrigin(issuer), 'issuer', 'an https origin (http on localhost)')
  need(isTexts(audience), 'audience', TEXTS)
  need(Array.isArray(algorithms) && algorithms.length > 0 && algorithms.every(isAlgorithm), 'algorithms', `some of ${allAlgorithms}`)
  need(binding === undefined || isBinding(binding), 'binding', 'jwks, revocations, check')
  need(jwks === undefined || (Array.isArray(jwks.keys) && jwks.keys.length > 0), 'jwks', 'keys')
  need(feed === 'poll' || isFunction(feed), 'feed', 'poll, websocketFeed()')
  need(introspection === undefined || isFunction(introspection), 'introspection', 'introspection()')
  need(onUnavailable === 'refuse' || onUnavailable === 'accept-stale', 'onUnavailable', 'refuse, accept-stale')
  need(resourceMetadata === undefined || URL.canParse(resourceMetadata), 'resourceMetadata', 'a URL')
  requireSound(requires)
  const integer = (name: IntegerOption, fallback: number, least: number, most: number): number =>
    readInteger(name, options[name] ?? fallback, least, most)
  const staleAfter = integer('staleAfter', 5000, 1, 60_000)
  const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init))
  const source = binding ?? httpIssuer(issuer, send)
  const check: VerifierSettings['check'] = introspection?.(issuer, send) ?? (binding && ((...asked) => binding.check(...asked)))
  requireFreshness(freshness, check)
  return {
    issuer,
    audiences: [...listOf(audience)],
    source: jwks === undefined ? source : { jwks: async () => jwks, revocations: (after) => source.revocations(after) },
    check,
    feed: feed === 'poll' ? null : feed,
    requires,
    resourceMetadata,
    freshness,
    algorithms: [...algorithms],
    clockTolerance: integer('clockTolerance', 0, 0, CLOCK_SKEW),
    maxLifetime: integer('maxLifetime', ACCESS_TOKEN_LIFETIME, 1, ACCESS_TOKEN_LIFETIME),
    freshFor: integer('freshFor', Math.min(1000, staleAfter), 0, staleAfter),
    staleAfter,
    keyCooldown: integer('keyCooldown', 1000, 0, 3_600_000),
    memory: integer('memory', 10_000, 0, 1_000_000),
    onUnavailable,
    nowMs,
  }
}

/** Throws TypeError for what is no freshness (callers may have no types), and for `live` where nobody can be asked. */
export function requireFreshness(freshness: Freshness, check: VerifierSettings['check']): void {
  need(freshnesses.includes(freshness), 'freshness', `one of ${freshnesses}`)
  need(freshness !== 'live' || check !== undefined, 'freshness', 'a binding or introspection')
}

const isAlgorithm = (value: unknown): boolean => allAlgorithms.some((name) => name === value)

const isFunction = (value: unknown): boolean => typeof value === 'function'

const isBinding = (binding: VerifierBinding): boolean => [binding?.jwks, binding?.revocations, binding?.check].every(isFunction)

function isOrigin(text: unknown): boolean {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const url = new URL(text)
  return url.origin === text && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback.includes(url.hostname)))
}

const isTexts = (value: unknown): boolean => {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  return list.length > 0 && list.every(isText)
}

/** A requirement that nobody could meet, or everybody, is a mistake: throws TypeError naming it. */
export function requireSound(requires: Requirements = {}): void {
  for (const [name, value] of Object.entries(requires)) {
    const option = `requires.${name}`
    // A misspelt one would require nothing.
    need(requirementNames.includes(name), option, 'to be a requirement')
    if (name === 'max_age') readInteger(option, value, 0, Number.MAX_SAFE_INTEGER)
    else need(isTexts(value), option, TEXTS)
  }
}

function readInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  return need(false, name, `an integer from ${least} to ${most}`)
}

function need(holds: false, name: string, what: string): never
function need(holds: boolean, name: string, what: string): void
function need(holds: boolean, name: string, what: string): void {
  if (!holds) throw new TypeError(`${name}: needs ${what}`)
}
