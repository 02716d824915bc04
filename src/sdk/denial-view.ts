// What a verifier knows of the revocation list, and how old that knowledge is. Takes feeds in, asks nobody (`view-poll.ts` does).

import { DENIAL_KIND_CODES } from '../protocol/denial.ts'
import { type FeedCursor, type FeedDecoding, type FeedHeader, forEachDenial, formatCursor } from '../protocol/feed.ts'
import { readSipHashKey, type SipHashKey, sipHashText } from '../protocol/siphash.ts'
import { DenialTable } from './denial-table.ts'
import { fingerprint, type KnownToken, knownToken, PRINT } from './known-token.ts'
import { NEVER } from './single-flight.ts'

/** `outdated`: only the token's `ver` is too low. `unsure`: the list may have forgotten what it knew of a token this old, so ask live. */
export type Verdict = 'clean' | 'revoked' | 'outdated' | 'unsure'

/** `lost`: the list is behind what it said before, and must be asked for a snapshot. `malformed`: the answer is of no use. */
export type Application = 'applied' | 'lost' | 'malformed'

/** The denials of one epoch. Their prefixes are under that epoch's key. */
type Chapter = { readonly key: SipHashKey; readonly table: DenialTable; lastEnd: number }

/** Answers in a row whose clocks agree: `offset` of the first, when the last one was asked for, and the last one's asOf. */
type Run = { count: number; offset: number; startedMs: number; asOf: number }

/** Milliseconds at most between two answers of a run; what a cache kept longer than that cannot look like a run. */
const RUN_PACE = 2000
/** Milliseconds by which the offsets of a run may differ, and its asOf must at least advance. */
const RUN_STEP = 300
const RUN_LENGTH = 3

/** Former epochs that are kept at most; tokens from before them are asked for live anyway. */
const MAX_FORMER = 4

export class DenialView {
  #chapter: Chapter | null = null
  #former: Chapter[] = []
  #cursor: FeedCursor | null = null
  #cursorText: string | null = null
  #revision = 0
  #knownMs = NEVER
  #leastOffsetMs = Infinity
  #run: Run | null = null
  #unsureUntilMs = NEVER

  /** How far this view has come; null before the first feed, and while a snapshot is awaited. */
  get cursor(): FeedCursor | null {
    return this.#cursor
  }

  /** The cursor as text, made once for each answer. */
  get cursorText(): string | null {
    return this.#cursorText
  }

  /** Milliseconds since the moment that the view is known to show; Infinity when it shows none (or the clock was set back). */
  ageMs(nowMs: number): number {
    const age = nowMs - this.#knownMs
    return age >= 0 && this.#cursor !== null ? age : Infinity
  }

  /** Whether anything denies the token; `now` in seconds. `revoked` wins over `outdated`. */
  check(token: KnownToken, now: number): Verdict {
    // Nothing is ever taken off the list but by time, so a clean answer holds until something is added.
    if (token.cleanAt === this.#revision) return 'clean'
    const chapter = this.#chapter
    let verdict: Verdict = chapter === null || chapter.table.size === 0 ? 'clean' : checkChapter(chapter, token, now)
    for (const former of this.#former) {
      if (verdict === 'revoked' || former.lastEnd < now) continue
      const older = checkChapter(former, knownToken(token.claims, token.key), now)
      if (older !== 'clean') verdict = older
    }
    if (verdict !== 'clean') return verdict
    if (token.claims.iat * 1000 <= this.#unsureUntilMs) return 'unsure'
    token.cleanAt = this.#revision
    return 'clean'
  }

  /** Whether a signing key is denied; `now` in seconds. */
  deniesKey(kid: string, now: number): boolean {
    const print = new Uint32Array(2)
    return [this.#chapter, ...this.#former].some((chapter) => {
      if (chapter === null) return false
      sipHashText(chapter.key, DENIAL_KIND_CODES.kid, kid, print)
      return look(chapter.table, print, 0, now) >= 0
    })
  }

  /**
   * Takes in an answer of the feed.
   * @param startedMs when the request for it started, by the local clock: the answer can be no newer than that
   * @param after the cursor that was asked with, or that a pushed step follows
   * @param isAsked false for a pushed step: it adds denials, and says nothing about age
   */
  apply(feed: FeedDecoding, startedMs: number, after: FeedCursor | null, isAsked = true): Application {
    if (!feed.ok) return 'malformed'
    const { header } = feed
    const contradiction = this.#contradicts(header, after)
    if (contradiction) this.#close(header.asOf)
    if (!header.snapshot && (contradiction || this.#cursor?.epoch !== header.epoch || after?.epoch !== header.epoch)) {
      return contradiction ? 'lost' : 'malformed'
    }
    const chapter = this.#open(header)
    // By the list's clock: what ours alone calls ended would be missed when it is set right.
    this.#merge(chapter, feed.segments, feed.count, header.asOf / 1000)
    const sameEpoch = this.#cursor?.epoch === header.epoch
    this.#advance(header, sameEpoch)
    if (isAsked) this.#date(header, startedMs, sameEpoch)
    return 'applied'
  }

  /** Within one epoch the sequence never falls and the key never changes; else data was lost without a new epoch to say so. */
  #contradicts(header: FeedHeader, after: FeedCursor | null): boolean {
    if (this.#cursor?.epoch !== header.epoch || this.#chapter === null) return false
    if (after?.epoch === header.epoch && header.sequence < after.sequence) return true
    const key = readSipHashKey(header.key)
    return this.#chapter.key.some((word, at) => word !== key[at])
  }

  /** Ends the present chapter: its denials are kept, and tokens issued up to `untilMs` must be asked for live. */
  #close(untilMs: number): void {
    if (this.#chapter !== null) this.#former = [this.#chapter, ...this.#former].slice(0, MAX_FORMER)
    this.#chapter = null
    this.#cursor = null
    this.#cursorText = null
    this.#revision++
    this.#unsureUntilMs = Math.max(this.#unsureUntilMs, untilMs)
  }

  /** The chapter that an answer belongs to. An epoch that follows a loss says when it began: what came before must be asked for live. */
  #open(header: FeedHeader): Chapter {
    if (this.#chapter !== null && this.#cursor?.epoch === header.epoch) return this.#chapter
    if (this.#chapter !== null) this.#close(header.epochStart)
    this.#unsureUntilMs = Math.max(this.#unsureUntilMs, header.epochStart)
    const chapter = { key: readSipHashKey(header.key), table: new DenialTable(), lastEnd: 0 }
    this.#chapter = chapter
    this.#revision++
    return chapter
  }

  #merge(chapter: Chapter, segments: Uint8Array, count: number, now: number): void {
    this.#former = this.#former.filter((former) => former.lastEnd >= now)
    chapter.table.reserve(count, now)
    let added = false
    forEachDenial(segments, (_kindCode, hi, lo, bound, end) => {
      if (chapter.table.add(hi, lo, bound, end, now)) added = true
      if (end > chapter.lastEnd) chapter.lastEnd = end
    })
    if (added) this.#revision++
  }

  #advance({ epoch, sequence }: FeedHeader, sameEpoch: boolean): void {
    this.#cursor = { epoch, sequence: Math.max(sequence, sameEpoch ? (this.#cursor?.sequence ?? 0) : 0) }
    this.#cursorText = formatCursor(this.#cursor)
  }

  /** Works out which moment the view now shows, by the local clock. */
  #date({ asOf }: FeedHeader, startedMs: number, sameEpoch: boolean): void {
    // The clocks need not agree: the least offset seen is taken for an answer without delay, and what exceeds it was spent in a cache.
    const offset = startedMs - asOf
    if (offset < this.#leastOffsetMs || this.#isSetClock(offset, startedMs, asOf)) this.#leastOffsetMs = offset
    const knownMs = startedMs - (offset - this.#leastOffsetMs)
    // What was known stays known; a moment in the future only says that the clock was set back.
    this.#knownMs = sameEpoch && this.#knownMs <= startedMs ? Math.max(this.#knownMs, knownMs) : knownMs
  }

  /**
   * Whether a larger offset comes from a clock that was set and not from answers that are old: several in quick succession agree on it
   * while asOf goes on. A cached answer's asOf stands still, and one renewed behind our back is no older than the time between two asks.
   */
  #isSetClock(offset: number, startedMs: number, asOf: number): boolean {
    if (offset - this.#leastOffsetMs <= RUN_PACE) {
      this.#run = null
      return false
    }
    const run = this.#run
    const goesOn = run !== null && startedMs - run.startedMs <= RUN_PACE && Math.abs(offset - run.offset) <= RUN_STEP
    if (goesOn && asOf - run.asOf < RUN_STEP) return false
    this.#run = goesOn ? { ...run, count: run.count + 1, startedMs, asOf } : { count: 1, offset, startedMs, asOf }
    if (this.#run.count < RUN_LENGTH) return false
    this.#run = null
    return true
  }
}

function checkChapter({ key, table }: Chapter, token: KnownToken, now: number): Verdict {
  const prints = fingerprint(token, key)
  const { claims } = token
  if (look(table, prints, PRINT.jti, now) >= 0 || look(table, prints, PRINT.kid, now) >= 0) return 'revoked'
  if (claims.sid !== undefined && look(table, prints, PRINT.sid, now) >= 0) return 'revoked'
  if (claims.grant_id !== undefined && look(table, prints, PRINT.grant_id, now) >= 0) return 'revoked'
  if (claims.iat <= look(table, prints, PRINT.client_id, now)) return 'revoked'
  return claims.ver < look(table, prints, PRINT.sub, now) ? 'outdated' : 'clean'
}

const look = (table: DenialTable, prints: Uint32Array, at: number, now: number): number =>
  table.boundOf(prints[at] ?? 0, prints[at + 1] ?? 0, now)
