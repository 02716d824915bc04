import { encodeEntries, type FeedEntry, forEachDenial } from '../protocol/feed.ts'

/** Encoded denials (protocol/feed.ts) with the least and the greatest `end` among them, in seconds. */
export type Packed = { segments: Uint8Array<ArrayBuffer>; firstEnd: number; lastEnd: number }

/** Entries as one piece, or null when there are none. */
export function packEntries(entries: readonly FeedEntry[]): Packed | null {
  if (entries.length === 0) return null
  let firstEnd = Infinity
  let lastEnd = 0
  for (const { end } of entries) {
    firstEnd = Math.min(firstEnd, end)
    lastEnd = Math.max(lastEnd, end)
  }
  return { segments: encodeEntries(entries), firstEnd, lastEnd }
}

/**
 * Several pieces as one: what has ended before `now` is left out, and entries of one kind and prefix merge by highest bound and latest
 * end, as every reader merges them. Null when nothing is left.
 */
export function packTogether(pieces: readonly Uint8Array[], now: number): Packed | null {
  const merged = new Map<string, FeedEntry>()
  for (const piece of pieces) {
    forEachDenial(piece, (kindCode, hi, lo, bound, end) => {
      if (end < now) return
      const name = `${kindCode} ${hi} ${lo}`
      const held = merged.get(name)
      if (held === undefined) merged.set(name, { kindCode, hi, lo, bound, end })
      else {
        held.bound = Math.max(held.bound, bound)
        held.end = Math.max(held.end, end)
      }
    })
  }
  return packEntries([...merged.values()])
}
