// Tokens that were verified here before, by their text: a repeated token costs a look-up and its denial check, no cryptography.

import { boundedMap } from './bounded-map.ts'
import type { KeyCache } from './key-cache.ts'
import type { KnownToken } from './known-token.ts'

export type TokenMemory = {
  /** The token if it was verified here, and its key is still one of the issuer's. It may have expired. */
  recall(token: string, nowMs: number): KnownToken | undefined
  remember(token: string, known: KnownToken): void
}

/**
 * Remembers verified tokens only, at most `limit`, so a flood of bad ones evicts no good one. The text is a key for good news alone: a
 * denied token with another spelling is not found here, and what is found is still checked by its claims.
 */
export function tokenMemory(limit: number, keys: KeyCache): TokenMemory {
  const entries = boundedMap<{ token: string; known: KnownToken }, number>(limit)
  return {
    recall(token, nowMs) {
      const entry = entries.get(slotOf(token))
      if (entry?.token !== token) return undefined
      const { known } = entry
      return keys.peek(known.key.kid, nowMs) === known.key ? known : undefined
    },
    remember: (token, known) => entries.set(slotOf(token), { token, known }),
  }
}

/**
 * A number for a token, from the end of its signature, which nobody can choose. V8 keeps a copy of every string that a Map is asked for;
 * for a text of this length, which comes with each request anew, that costs more than all else here.
 */
function slotOf(token: string): number {
  let slot = 0
  for (let at = token.length - 12; at < token.length; at++) slot = (Math.imul(slot, 31) + token.charCodeAt(at)) & 0x3fff_ffff
  return slot
}
