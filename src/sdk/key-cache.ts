// The issuer's public keys by `kid`: values only, never a promise that one request makes another wait on without a limit.

import { JWKS_HARD_AGE } from '../protocol/claims.ts'
import type { IssuerSource, WaitUntil } from './binding.ts'
import { NEVER, singleFlight } from './single-flight.ts'
import { importVerificationKey, type VerificationKey } from './verify-signature.ts'

/** Milliseconds after which the keys are fetched again in the background. */
export const KEY_REFRESH_AGE = 300_000

const HARD_AGE = JWKS_HARD_AGE * 1000
const MAX_KEYS = 64

/** `unknown`: the issuer has no such key. `unavailable`: the issuer could not be asked. */
export type KeyAnswer = { ok: true; key: VerificationKey } | { ok: false; error: 'unknown' | 'unavailable' }

export type KeyCacheOptions = { nowMs: () => number; keyCooldown: number; flightTimeout?: number }

export type KeyCache = {
  /** Why the keys cannot be had; for the operator. */
  failure(): string
  /** The key if it is held and within its hard age; never fetches. */
  peek(kid: string, nowMs: number): VerificationKey | undefined
  /** Fetches the keys in the background when they are due for it. */
  renew(nowMs: number, waitUntil?: WaitUntil): void
  /** The key for a `kid`; an unknown one fetches the set, at most once per cooldown however many ask. */
  find(kid: string, waitUntil?: WaitUntil): Promise<KeyAnswer>
}

/** The keys of one issuer. Times are milliseconds. */
export function keyCache(source: IssuerSource, { nowMs, keyCooldown, flightTimeout }: KeyCacheOptions): KeyCache {
  let keys: ReadonlyMap<string, VerificationKey> = new Map()
  let fetchedMs = NEVER
  let latest = 0

  const flight = singleFlight(
    async (startedMs, turn) => {
      const fetched = await readKeySet(await source.jwks(), keys)
      if (turn < latest) return
      latest = turn
      keys = fetched
      fetchedMs = startedMs
    },
    nowMs,
    flightTimeout,
  )

  /** A clock that was set back says nothing about how old the keys are. */
  const areOlder = (atMs: number, ms: number): boolean => {
    const age = atMs - fetchedMs
    return age < 0 || age > ms
  }
  const peek = (kid: string, atMs: number) => (areOlder(atMs, HARD_AGE) ? undefined : keys.get(kid))
  const renew = (atMs: number, waitUntil?: WaitUntil): void => {
    if (areOlder(atMs, KEY_REFRESH_AGE) && !flight.isUnderWay() && flight.isOver(keyCooldown)) flight.join(waitUntil)
  }

  return {
    failure: flight.failure,
    peek,
    renew,
    async find(kid, waitUntil) {
      let ended = true
      let joins = true
      // The second time is for those who joined another's fetch, whose request was cancelled.
      for (let tries = 0; tries < 2; tries++) {
        const key = peek(kid, nowMs())
        if (key !== undefined) {
          renew(nowMs(), waitUntil)
          return { ok: true, key }
        }
        if ((tries > 0 && (ended || !joins)) || !(flight.isUnderWay() || flight.isOver(keyCooldown))) break
        joins = flight.isUnderWay()
        ended = await flight.wait(waitUntil)
      }
      const key = peek(kid, nowMs())
      if (key !== undefined) return { ok: true, key }
      const asked = ended && !flight.failure() && !areOlder(nowMs(), HARD_AGE)
      return { ok: false, error: asked ? 'unknown' : 'unavailable' }
    },
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
  if (!Array.isArray(list) || list.length > MAX_KEYS) throw new Error('not a key set')
  const keys = new Map<string, VerificationKey>()
  for (const jwk of list) {
    const key = typeof jwk === 'object' && jwk !== null ? await importVerificationKey(jwk) : null
    if (key === null) continue
    if (keys.has(key.kid)) throw new Error('a kid occurs twice')
    const before = held.get(key.kid)
    keys.set(key.kid, before?.source === key.source ? before : key)
  }
  // An issuer always has a key: none is a fault on the way, and must not turn every token into an invalid one.
  if (keys.size === 0) throw new Error('no usable key')
  return keys
}
