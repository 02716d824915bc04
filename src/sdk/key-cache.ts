// The issuer's public keys by `kid`: values only, never a promise that one request makes another wait on without a limit.

import { JWKS_HARD_AGE } from '../protocol/claims.ts'
import type { VerifierBinding, WaitUntil } from './binding.ts'
import { NEVER, SingleFlight } from './single-flight.ts'
import { importVerificationKey, type VerificationKey } from './verify-signature.ts'

/** Milliseconds after which the keys are fetched again in the background. */
export const KEY_REFRESH_AGE = 300_000

const HARD_AGE = JWKS_HARD_AGE * 1000
const MAX_KEYS = 64

/** `unknown`: the issuer has no such key. `unavailable`: the issuer could not be asked. */
export type KeyAnswer = { ok: true; key: VerificationKey } | { ok: false; error: 'unknown' | 'unavailable' }

export type KeyCacheOptions = { nowMs: () => number; keyCooldown: number; flightTimeout?: number }

/** The keys of one issuer. Times are milliseconds. */
export class KeyCache {
  readonly #binding: VerifierBinding
  readonly #nowMs: () => number
  readonly #cooldown: number
  readonly #flight: SingleFlight
  #keys: ReadonlyMap<string, VerificationKey> = new Map()
  #fetchedMs = NEVER
  #turn = 0

  constructor(binding: VerifierBinding, options: KeyCacheOptions) {
    this.#binding = binding
    this.#nowMs = options.nowMs
    this.#cooldown = options.keyCooldown
    this.#flight = new SingleFlight(options.nowMs, options.flightTimeout)
  }

  /** The key if it is held and within its hard age; never fetches. */
  peek(kid: string, nowMs: number): VerificationKey | undefined {
    return this.#isUsable(nowMs) ? this.#keys.get(kid) : undefined
  }

  /** Fetches the keys in the background when they are due for it. */
  renew(nowMs: number, waitUntil?: WaitUntil): void {
    const age = nowMs - this.#fetchedMs
    if (age >= 0 && age <= KEY_REFRESH_AGE) return
    if (!this.#flight.underWay && this.#mayFetch(nowMs)) this.#flight.join(this.#fetch, waitUntil)
  }

  /** The key for a `kid`; an unknown one fetches the set, at most once per cooldown however many ask. */
  async find(kid: string, waitUntil?: WaitUntil): Promise<KeyAnswer> {
    const nowMs = this.#nowMs()
    const held = this.peek(kid, nowMs)
    if (held !== undefined) {
      this.renew(nowMs, waitUntil)
      return { ok: true, key: held }
    }
    let end: boolean | null = true
    // The second time is for those who waited for a fetch whose own request was cancelled.
    for (let tries = 0; tries < 2; tries++) {
      if (!this.#flight.underWay && !this.#mayFetch(this.#nowMs())) break
      end = await this.#flight.wait(this.#fetch, waitUntil)
      if (end !== null) break
    }
    const found = this.peek(kid, this.#nowMs())
    if (found !== undefined) return { ok: true, key: found }
    const asked = end === true && !this.#flight.failing && this.#isUsable(this.#nowMs())
    return { ok: false, error: asked ? 'unknown' : 'unavailable' }
  }

  readonly #fetch = async (startedMs: number, turn: number): Promise<void> => {
    const keys = await readKeySet(await this.#binding.jwks(), this.#keys)
    if (turn < this.#turn) return
    this.#turn = turn
    this.#keys = keys
    this.#fetchedMs = startedMs
  }

  #isUsable(nowMs: number): boolean {
    const age = nowMs - this.#fetchedMs
    // A negative age: the clock was set back, and says nothing about how old the keys are.
    return age >= 0 && age <= HARD_AGE
  }

  #mayFetch(nowMs: number): boolean {
    const since = nowMs - this.#flight.startedMs
    return since < 0 || since >= this.#cooldown
  }
}

/**
 * The usable keys of a JSON Web Key Set; keys that cannot be used are skipped, keys already held are kept as they are.
 * Throws when the set itself is not sound: no list, too many keys, one `kid` twice, or no usable key.
 */
async function readKeySet(
  set: { keys: readonly object[] },
  held: ReadonlyMap<string, VerificationKey>,
): Promise<Map<string, VerificationKey>> {
  const list: readonly unknown[] = set.keys
  if (!Array.isArray(list) || list.length > MAX_KEYS) throw new TypeError('not a key set')
  const keys = new Map<string, VerificationKey>()
  for (const jwk of list) {
    const key = typeof jwk === 'object' && jwk !== null ? await importVerificationKey(jwk) : null
    if (key === null) continue
    if (keys.has(key.kid)) throw new TypeError('a kid occurs twice')
    const before = held.get(key.kid)
    keys.set(key.kid, before?.source === key.source ? before : key)
  }
  // An issuer always has a key: none is a fault on the way, and must not turn every token into an invalid one.
  if (keys.size === 0) throw new TypeError('no usable key')
  return keys
}
