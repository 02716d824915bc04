// Which keys are published now. It stands in for the revocation list while that cannot be had: a denied key leaves the set at once.

/** Milliseconds: how old the set may be. */
const MAX_AGE = 1000

/**
 * Answers whether the key of a `kid` is published; reads the set about once a second, however many ask, and for each that is not in it. It
 * rejects when the set cannot be had.
 */
export function publishedKeys(
  read: () => Promise<{ keys: readonly { kid?: string }[] }>,
  nowMs: () => number,
): (kid: string) => Promise<boolean> {
  let held = { kids: new Set<string | undefined>(), startedMs: Number.NEGATIVE_INFINITY }
  return async (kid) => {
    const startedMs = nowMs()
    const age = startedMs - held.startedMs
    // One that is not there may have been made since: to call its tokens revoked would sign honest people out.
    if (age >= 0 && age <= MAX_AGE && held.kids.has(kid)) return true
    const { keys } = await read()
    const kids = new Set(keys.map((key) => key.kid))
    // Of two readings under way the one that was begun later knows more; a clock that was set back says nothing of either.
    if (startedMs > held.startedMs || age < 0) held = { kids, startedMs }
    return kids.has(kid)
  }
}
