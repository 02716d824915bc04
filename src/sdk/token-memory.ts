// Tokens that were verified here before, by their text: a repeated token costs a look-up and its denial check, no cryptography.

import { BoundedMap } from './bounded-map.ts'
import type { KeyCache } from './key-cache.ts'
import type { KnownToken } from './known-token.ts'

/** What the memory says of a token's text. */
export type Recollection = KnownToken | 'expired' | undefined

/**
 * Remembers verified tokens only, so a flood of bad ones evicts no good one. The text is a key for good news alone: a denied token with
 * another spelling is not found here, and what is found is still checked by its claims.
 */
export class TokenMemory {
  readonly #tokens: BoundedMap<KnownToken>
  readonly #keys: KeyCache
  readonly #clockTolerance: number

  /** `limit` tokens at most; `clockTolerance` in seconds. */
  constructor(limit: number, keys: KeyCache, clockTolerance: number) {
    this.#tokens = new BoundedMap(limit)
    this.#keys = keys
    this.#clockTolerance = clockTolerance
  }

  /** The tokens held at the moment. */
  get size(): number {
    return this.#tokens.size
  }

  /** The token if it was verified here, lives, and its key is still one of the issuer's. */
  recall(token: string, nowMs: number): Recollection {
    const known = this.#tokens.get(token)
    if (known === undefined) return undefined
    if (known.claims.exp <= Math.floor(nowMs / 1000) - this.#clockTolerance) {
      this.#tokens.delete(token)
      return 'expired'
    }
    return this.#keys.peek(known.key.kid, nowMs) === known.key ? known : undefined
  }

  remember(token: string, known: KnownToken): void {
    this.#tokens.set(token, known)
  }
}
