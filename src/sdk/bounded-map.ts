// A map that forgets: two generations, so that what is asked for stays, and nothing is ever scanned.

export type BoundedMap<V, K = string> = {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
}

/** Holds at most about `limit` values; those not asked for during half a turnover go first. A limit of 0 holds nothing. */
export function boundedMap<V, K = string>(limit: number): BoundedMap<V, K> {
  const half = Math.ceil(limit / 2)
  let young = new Map<K, V>()
  let old = new Map<K, V>()
  const set = (key: K, value: V): void => {
    if (half === 0) return
    old.delete(key)
    young.set(key, value)
    if (young.size < half) return
    old = young
    young = new Map()
  }
  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const kept = old.get(key)
      if (kept !== undefined) set(key, kept)
      return kept
    },
    set,
    delete(key) {
      young.delete(key)
      old.delete(key)
    },
  }
}
