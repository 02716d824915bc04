// The revocation feed on the wire, version 1: `application/octet-stream`. Every integer is big-endian but for the varints.
//
//   offset  bytes  header
//        0      4  "SPRF"
//        4      1  version = 1
//        5      1  flags: bit 0 = snapshot (all living denials), else what changed after the cursor asked for; the others are zero
//        6      2  zero
//        8      8  epoch: random, a new one whenever the list may have lost data
//       16      8  when the epoch began, milliseconds since 1970: what is older than it may have been forgotten. 0 for a list's first epoch
//       24      8  asOf: the list's clock when it answered, milliseconds since 1970
//       32      8  sequence: with the epoch, the cursor that this answer brings its reader to
//       40     16  key of SipHash-2-4, constant within an epoch
//       56         segments, to the end of the body
//
//   a segment: kind (1 byte: 1 jti, 2 grant_id, 3 sid, 4 kid, 5 sub, 6 client_id)
//              end (4 bytes, seconds since 1970: no token that these entries concern is alive after it)
//              count (varint, at least 1)
//              count entries: prefix (8 bytes), and for `sub` the lowest acceptable `ver`, for `client_id` the last refused `iat` (varint)
//
//   prefix: SipHash-2-4 of the kind byte and the UTF-8 of the id, as a number. Keyed, because strangers may choose ids.
//   varint: unsigned LEB128 below 2^32 in its shortest form.
//
// A segment may stand in any order, any number of times; entries of one kind and prefix merge by highest bound and latest end. A reader
// refuses what it does not know (version, flag, kind): a denial that it cannot understand must not pass as none.

import { boundOf, DENIAL_KIND_CODES, type Denial, hasBound } from './denial.ts'
import { readSipHashKey, sipHashText } from './siphash.ts'

export const FEED_CONTENT_TYPE = 'application/octet-stream'
/** The length of an answer without denials. */
export const FEED_HEADER_BYTES = 56

const MAGIC = 0x53505246
const VERSION = 1
const SNAPSHOT = 1
const MAX_U32 = 0xffff_ffff
const MAX_KIND_CODE = Math.max(...Object.values(DENIAL_KIND_CODES))
const NOT_A_VARINT = -1

/** Where a reader stands: `epoch` is 16 lower-case hex digits, `sequence` an integer from 0. */
export type FeedCursor = { epoch: string; sequence: number }

/** The fixed part of an answer. Times are milliseconds since 1970; `key` has 16 bytes. */
export type FeedHeader = FeedCursor & { snapshot: boolean; epochStart: number; asOf: number; key: Uint8Array }

/** What `decodeFeed` answers: `segments` is the body after the header, checked, for `forEachDenial`; `count` the entries in it. */
export type FeedDecoding = { ok: true; header: FeedHeader; segments: Uint8Array; count: number } | { ok: false }

/** Called for each entry: its kind code, the prefix's words, the bound (0 where the kind has none), and `end` in seconds. */
export type DenialVisitor = (kindCode: number, hi: number, lo: number, bound: number, end: number) => void

/** One entry as it is on the wire: its kind code, the prefix's words, the bound (0 where the kind has none), and `end` in seconds. */
export type FeedEntry = { kindCode: number; hi: number; lo: number; bound: number; end: number }

/** The entries that denials become under a key. Throws RangeError when the key does not fit: that is a bug of the caller. */
export function entriesOf(key: Uint8Array, denials: readonly Denial[]): FeedEntry[] {
  const words = readSipHashKey(key)
  const prefix = new Uint32Array(2)
  return denials.map((denial) => {
    const kindCode = DENIAL_KIND_CODES[denial.kind]
    sipHashText(words, kindCode, denial.id, prefix)
    return { kindCode, hi: prefix[0] ?? 0, lo: prefix[1] ?? 0, bound: boundOf(denial), end: denial.end }
  })
}

/**
 * Entries as segments, one for each kind and `end`, ready to be stored and later joined by `encodeFeed`.
 * Throws RangeError when an `end` or bound does not fit: that is a bug of the caller.
 */
export function encodeEntries(entries: readonly FeedEntry[]): Uint8Array<ArrayBuffer> {
  const groups = new Map<number, FeedEntry[]>()
  let size = 0
  for (const entry of entries) {
    const name = requireU32(entry.end) * 256 + entry.kindCode
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [entry])
    else group.push(entry)
    size += hasBound(entry.kindCode) ? 13 : 8
  }
  const bytes = new Uint8Array(size + groups.size * 10)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [name, group] of groups) {
    const kindCode = name % 256
    view.setUint8(at, kindCode)
    view.setUint32(at + 1, Math.floor(name / 256))
    at = writeVarint(bytes, at + 5, group.length)
    for (const { hi, lo, bound } of group) {
      view.setUint32(at, hi)
      view.setUint32(at + 4, lo)
      at += 8
      if (hasBound(kindCode)) at = writeVarint(bytes, at, requireU32(bound))
    }
  }
  return bytes.slice(0, at)
}

/** Denials as segments: `entriesOf`, then `encodeEntries`. */
export const encodeSegments = (key: Uint8Array, denials: readonly Denial[]): Uint8Array<ArrayBuffer> =>
  encodeEntries(entriesOf(key, denials))

/** A whole answer: the header, and the encoded segments one after the other. Throws RangeError when a field does not fit. */
export function encodeFeed(header: FeedHeader, segments: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  if (!isEpoch(header.epoch)) throw new RangeError('an epoch is 16 lower-case hex digits')
  if (header.key.length !== 16) throw new RangeError('a SipHash key has 16 bytes')
  const bytes = new Uint8Array(segments.reduce((size, segment) => size + segment.length, FEED_HEADER_BYTES))
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint8(4, VERSION)
  view.setUint8(5, header.snapshot ? SNAPSHOT : 0)
  view.setBigUint64(8, BigInt(`0x${header.epoch}`))
  view.setBigUint64(16, requireU64(header.epochStart))
  view.setBigUint64(24, requireU64(header.asOf))
  view.setBigUint64(32, requireU64(header.sequence))
  bytes.set(header.key, 40)
  let at = FEED_HEADER_BYTES
  for (const segment of segments) {
    bytes.set(segment, at)
    at += segment.length
  }
  return bytes
}

/** Reads an answer strictly. Whatever the bytes, it ends in time proportional to their number, and never throws. */
export function decodeFeed(bytes: Uint8Array): FeedDecoding {
  if (bytes.length < FEED_HEADER_BYTES) return MALFORMED
  const view = new DataView(bytes.buffer, bytes.byteOffset, FEED_HEADER_BYTES)
  // Magic, version, flags and the reserved bytes.
  if (view.getUint32(0) !== MAGIC || view.getUint8(4) !== VERSION || view.getUint8(5) > SNAPSHOT || view.getUint16(6) !== 0) {
    return MALFORMED
  }
  const numbers = [16, 24, 32].map((at) => Number(view.getBigUint64(at)))
  const [epochStart = 0, asOf = 0, sequence = 0] = numbers
  if (!numbers.every(Number.isSafeInteger)) return MALFORMED
  const segments = bytes.subarray(FEED_HEADER_BYTES)
  const count = walk(segments, null)
  if (count === null) return MALFORMED
  const epoch = view.getBigUint64(8).toString(16).padStart(16, '0')
  const header = { snapshot: view.getUint8(5) === SNAPSHOT, epoch, epochStart, asOf, sequence, key: bytes.slice(40, FEED_HEADER_BYTES) }
  return { ok: true, header, segments, count }
}

/** Visits every entry of decoded `segments`, in their order. Stops where bytes that were not checked make no sense. */
export function forEachDenial(segments: Uint8Array, visit: DenialVisitor): void {
  walk(segments, visit)
}

/** The cursor as text, for `after`: the epoch, a dot, the sequence in decimal. */
export const formatCursor = (cursor: FeedCursor): string => `${cursor.epoch}.${cursor.sequence}`

/** Reads a cursor's text; null for anything that `formatCursor` does not write. */
export function parseCursor(text: string): FeedCursor | null {
  const match = /^([0-9a-f]{16})\.(0|[1-9][0-9]{0,15})$/.exec(text)
  const epoch = match?.[1]
  const sequence = Number(match?.[2])
  return epoch === undefined || !Number.isSafeInteger(sequence) ? null : { epoch, sequence }
}

const MALFORMED: FeedDecoding = { ok: false }

const isEpoch = (text: string): boolean => /^[0-9a-f]{16}$/.test(text)

/** Counts the entries, and visits each if asked; null when the bytes are not segments. */
function walk(bytes: Uint8Array, visit: DenialVisitor | null): number | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const reader = { at: 0 }
  let total = 0
  while (reader.at < bytes.length) {
    if (bytes.length - reader.at < 6) return null
    const kindCode = view.getUint8(reader.at)
    if (kindCode === 0 || kindCode > MAX_KIND_CODE) return null
    const end = view.getUint32(reader.at + 1)
    reader.at += 5
    const count = readVarint(bytes, reader)
    // Each entry has 8 bytes at least, so a large count costs nothing that the sender did not pay for.
    if (count < 1 || count > (bytes.length - reader.at) / 8) return null
    total += count
    const bounded = hasBound(kindCode)
    if (visit === null && !bounded) {
      reader.at += count * 8
      continue
    }
    for (let left = count; left > 0; left--) {
      const from = reader.at
      if (bytes.length - from < 8) return null
      reader.at += 8
      const bound = bounded ? readVarint(bytes, reader) : 0
      if (bound === NOT_A_VARINT) return null
      if (visit !== null) visit(kindCode, view.getUint32(from), view.getUint32(from + 4), bound, end)
    }
  }
  return total
}

function readVarint(bytes: Uint8Array, reader: { at: number }): number {
  let value = 0
  for (let power = 1; power <= 2 ** 28; power *= 128) {
    const byte = bytes[reader.at++]
    if (byte === undefined) return NOT_A_VARINT
    value += (byte & 0x7f) * power
    if (byte < 0x80) return (byte === 0 && power > 1) || value > MAX_U32 ? NOT_A_VARINT : value
  }
  return NOT_A_VARINT
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let left = value
  let to = at
  while (left > 127) {
    bytes[to++] = (left & 0x7f) | 0x80
    left = Math.floor(left / 128)
  }
  bytes[to] = left
  return to + 1
}

function requireU32(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > MAX_U32) throw new RangeError('not an unsigned 32-bit integer')
  return value
}

function requireU64(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('not a safe unsigned integer')
  return BigInt(value)
}
