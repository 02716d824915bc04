import { usableKeys } from '../../clients/client-keys.ts'
import { JWKS_HARD_AGE } from '../../protocol/claims.ts'
import { boundedMap } from '../../sdk/bounded-map.ts'

/** Gets a JSON document from a client's address, now: what it answers is kept here, so a cache of its own would only hide new keys. */
export type FetchKeys = (url: string) => Promise<object>

/** Milliseconds: how long a set is used without asking again, how long it stands in for one that cannot be had. */
const MAX_AGE = 300_000
const HARD_AGE = JWKS_HARD_AGE * 1000
/** Milliseconds between two fetches of one set, whoever asks for what: a stranger may send any `kid`. */
const COOLDOWN = 10_000
/** Milliseconds after which a fetch counts as lost, and for which others wait for it, looking again each `LOOK`. */
const LOST = 5000
const LOOK = 50

type Held = { keys: readonly unknown[]; fetchedMs: number; askedMs: number; isUnderWay: boolean }

/** Values of this isolate: who waits for another's fetch looks for its result, and never holds its promise. */
const sets = boundedMap<Held>(500)

/**
 * The keys at a client's `jwks_uri`: those of the last five minutes, or `newer` ones when these lack what is sought (at most one fetch in
 * ten seconds). Null when they cannot be had; never throws.
 */
export async function clientKeys(
  url: string,
  fetchKeys: FetchKeys,
  want: 'any' | 'newer' = 'any',
  nowMs: () => number = Date.now,
): Promise<readonly unknown[] | null> {
  const held: Held = sets.get(url) ?? { keys: [], fetchedMs: -Infinity, askedMs: -Infinity, isUnderWay: false }
  sets.set(url, held)
  const since = (ms: number) => Math.abs(nowMs() - ms)
  const current = () => (since(held.fetchedMs) < HARD_AGE ? held.keys : null)
  if (want === 'any' && since(held.fetchedMs) < MAX_AGE) return held.keys
  if (held.isUnderWay && since(held.askedMs) < LOST) {
    // A set that is there is used meanwhile.
    if (want === 'any' && current() !== null) return current()
    while (held.isUnderWay && since(held.askedMs) < LOST) await scheduler.wait(LOOK)
    return current()
  }
  if (since(held.askedMs) >= COOLDOWN) await fetchInto(held, url, fetchKeys, nowMs())
  return current()
}

async function fetchInto(held: Held, url: string, fetchKeys: FetchKeys, startedMs: number): Promise<void> {
  held.askedMs = startedMs
  held.isUnderWay = true
  try {
    const set = await fetchKeys(url)
    const isLatest = held.askedMs === startedMs
    if (isLatest && 'keys' in set && Array.isArray(set.keys)) Object.assign(held, { keys: usableKeys(set.keys), fetchedMs: startedMs })
  } catch {
    // What cannot be fetched is not there; the fetch has said why in its own log.
  } finally {
    if (held.askedMs === startedMs) held.isUnderWay = false
  }
}
