// A set of denials keyed by 64-bit prefix: open addressing over one typed array, so that a million entries cost megabytes, not objects.

const WORDS = 4
const BOUND = 2
const END = 3
const MIN_SLOTS = 64

/** Entries are (prefix as two words, bound, end in seconds). A slot with end 0 is empty. The prefix includes the kind, so kinds need no column. */
export class DenialTable {
  #slots = new Uint32Array(MIN_SLOTS * WORDS)
  #mask = MIN_SLOTS - 1
  #used = 0

  /** The entries held, expired ones included. */
  get size(): number {
    return this.#used
  }

  /** Makes room for `more` entries; forgets what ended before `now` (seconds) when that needs a new array. */
  reserve(more: number, now: number): void {
    const slots = this.#mask + 1
    if ((this.#used + more) * 3 <= slots * 2) return
    const old = this.#slots
    let living = 0
    for (let at = END; at < old.length; at += WORDS) if ((old[at] ?? 0) >= now && old[at] !== 0) living++
    // At most half full after a rebuild, so that the next one is a sixth of the table away.
    let capacity = MIN_SLOTS
    while (capacity < (living + more) * 2) capacity *= 2
    this.#slots = new Uint32Array(capacity * WORDS)
    this.#mask = capacity - 1
    this.#used = 0
    for (let at = 0; at < old.length; at += WORDS) {
      const end = old[at + END] ?? 0
      if (end !== 0 && end >= now) this.add(old[at] ?? 0, old[at + 1] ?? 0, old[at + BOUND] ?? 0, end, now)
    }
  }

  /**
   * Adds an entry or merges it with a living one: highest bound, latest end. Room must have been reserved. Answers whether the table now
   * denies more.
   */
  add(hi: number, lo: number, bound: number, end: number, now: number): boolean {
    if (end === 0 || end < now) return false
    const slots = this.#slots
    const at = this.#slotOf(hi, lo)
    const held = slots[at + END] ?? 0
    if (held === 0) this.#used++
    if (held < now || held === 0) {
      slots[at] = hi
      slots[at + 1] = lo
      slots[at + BOUND] = bound
      slots[at + END] = end
      return true
    }
    const more = bound > (slots[at + BOUND] ?? 0)
    if (more) slots[at + BOUND] = bound
    if (end > held) slots[at + END] = end
    return more
  }

  /** The bound of a living entry (0 where its kind has none); -1 when there is none. */
  boundOf(hi: number, lo: number, now: number): number {
    const slots = this.#slots
    const at = this.#slotOf(hi, lo)
    const end = slots[at + END] ?? 0
    return end === 0 || end < now ? -1 : (slots[at + BOUND] ?? 0)
  }

  #slotOf(hi: number, lo: number): number {
    const slots = this.#slots
    let slot = lo & this.#mask
    for (;;) {
      const at = slot * WORDS
      if (slots[at + END] === 0 || (slots[at + 1] === lo && slots[at] === hi)) return at
      slot = (slot + 1) & this.#mask
    }
  }
}
