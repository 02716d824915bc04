// What `createVerifier` may be told, checked once: a wrong option stops the program at its start, not a request later.

import { ACCESS_TOKEN_LIFETIME, CLOCK_SKEW } from '../protocol/claims.ts'
import type { VerifierBinding } from './binding.ts'
import type { Algorithm } from './parse-token.ts'

/**
 * How current an answer must be. `offline`: the token alone, refused at its `exp` only. `fresh`: the local view of the revocation list,
 * at most `staleAfter` old. `live`: the issuer is asked each time.
 */
export type Freshness = 'offline' | 'fresh' | 'live'

export type VerifierOptions = {
  /** The issuer: an https origin, or http on a loopback host. No trailing slash. */
  issuer: string
  /** The audience or audiences that this service answers to; a token must name one of them. */
  audience: string | readonly string[]
  /** How the issuer is reached. */
  binding: VerifierBinding
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
  binding: VerifierBinding
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

const allAlgorithms: readonly Algorithm[] = ['ES256', 'EdDSA', 'RS256']
const freshnesses: readonly Freshness[] = ['offline', 'fresh', 'live']
const loopback = ['localhost', '127.0.0.1', '[::1]']

/** The options with their defaults. Throws TypeError naming the option that is wrong. */
export function readVerifierOptions(options: VerifierOptions): VerifierSettings {
  const audiences = typeof options.audience === 'string' ? [options.audience] : [...(options.audience ?? [])]
  const algorithms = [...(options.algorithms ?? allAlgorithms)]
  const freshness = options.freshness ?? 'fresh'
  const onUnavailable = options.onUnavailable ?? 'refuse'
  const staleAfter = readInteger('staleAfter', options.staleAfter ?? 5000, 1, 60_000)
  if (!isOrigin(options.issuer)) {
    throw new TypeError('issuer: an https origin without a trailing slash is needed (http only for localhost, 127.0.0.1 and [::1])')
  }
  if (audiences.length === 0 || !audiences.every((audience) => typeof audience === 'string' && audience !== '')) {
    throw new TypeError('audience: a string, or a list of at least one, is needed')
  }
  if (algorithms.length === 0 || !algorithms.every((name) => allAlgorithms.includes(name))) {
    throw new TypeError(`algorithms: at least one of ${allAlgorithms.join(', ')} is needed, and no other`)
  }
  if (![options.binding?.jwks, options.binding?.revocations, options.binding?.check].every((method) => typeof method === 'function')) {
    throw new TypeError('binding: an object with jwks, revocations and check is needed')
  }
  if (!isFreshness(freshness)) throw new TypeError(`freshness: one of ${freshnesses.join(', ')}`)
  if (onUnavailable !== 'refuse' && onUnavailable !== 'accept-stale') throw new TypeError('onUnavailable: refuse or accept-stale')
  return {
    issuer: options.issuer,
    audiences,
    binding: options.binding,
    freshness,
    algorithms,
    clockTolerance: readInteger('clockTolerance', options.clockTolerance ?? 0, 0, CLOCK_SKEW),
    maxLifetime: readInteger('maxLifetime', options.maxLifetime ?? ACCESS_TOKEN_LIFETIME, 1, ACCESS_TOKEN_LIFETIME),
    freshFor: readInteger('freshFor', options.freshFor ?? Math.min(1000, staleAfter), 0, staleAfter),
    staleAfter,
    keyCooldown: readInteger('keyCooldown', options.keyCooldown ?? 1000, 0, 3_600_000),
    memory: readInteger('memory', options.memory ?? 10_000, 0, 1_000_000),
    onUnavailable,
    nowMs: options.nowMs ?? (() => Date.now()),
  }
}

/** Whether a value is a freshness; for callers without types. */
export const isFreshness = (value: unknown): value is Freshness => freshnesses.some((name) => name === value)

function isOrigin(text: unknown): text is string {
  if (typeof text !== 'string' || !URL.canParse(text)) return false
  const url = new URL(text)
  return url.origin === text && (url.protocol === 'https:' || (url.protocol === 'http:' && loopback.includes(url.hostname)))
}

function readInteger(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new TypeError(`${name}: a whole number from ${least} to ${most} is needed`)
}
