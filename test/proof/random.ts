export type Random = ReturnType<typeof createRandom>

/** Chances that a seed repeats (xorshift32 behind a mix of the seed): the same seed, the same choices in the same order. */
export function createRandom(seed: number) {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1

  /** An integer in [low, high]. */
  function int(low: number, high: number): number {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return low + ((state >>> 0) % (high - low + 1))
  }

  function pick<T>(items: readonly T[]): T {
    const item = items[int(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  return {
    int,
    pick,
    /** True once in `n` times. */
    oneIn: (n: number): boolean => int(1, n) === 1,
    /** Chances of its own, so that what runs beside it does not change them. */
    fork: () => createRandom(int(1, 2 ** 31 - 1)),
  }
}
