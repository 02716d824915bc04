import { describe, expect, test } from 'vitest'
import { DENIAL_KIND_CODES, type Denial, EVERY_IAT } from '../../src/protocol/denial.ts'
import {
  decodeFeed,
  encodeFeed,
  encodeSegments,
  type FeedHeader,
  forEachDenial,
  formatCursor,
  parseCursor,
} from '../../src/protocol/feed.ts'
import { readSipHashKey, sipHashText } from '../../src/protocol/siphash.ts'

const key = Uint8Array.from({ length: 16 }, (_, i) => i)
const header: FeedHeader = {
  snapshot: true,
  epoch: '00ff00ff00ff00ff',
  epochStart: 1_700_000_000_123,
  asOf: 1_700_000_100_456,
  sequence: 4_294_967_300,
  key,
}
const END = 1_700_000_410

const oneOfEach: Denial[] = [
  { kind: 'jti', id: 'j', end: END },
  { kind: 'grant_id', id: 'g', end: END },
  { kind: 'sid', id: 's', end: END },
  { kind: 'kid', id: 'k', end: END + 3600 },
  { kind: 'sub', id: 'u', ver: 1, end: END },
  { kind: 'sub', id: 'v', ver: 300, end: END },
  { kind: 'client_id', id: 'クライアント', not_after_iat: EVERY_IAT, end: 0xffff_ffff },
]

function list(segments: Uint8Array): number[][] {
  const rows: number[][] = []
  forEachDenial(segments, (...row) => rows.push(row))
  return rows
}

function expected(denials: readonly Denial[]): number[][] {
  return denials.map((denial) => {
    const out = new Uint32Array(2)
    sipHashText(readSipHashKey(key), DENIAL_KIND_CODES[denial.kind], denial.id, out)
    const bound = denial.kind === 'sub' ? denial.ver : denial.kind === 'client_id' ? denial.not_after_iat : 0
    return [DENIAL_KIND_CODES[denial.kind], out[0] ?? 0, out[1] ?? 0, bound, denial.end]
  })
}

function decode(bytes: Uint8Array) {
  const feed = decodeFeed(bytes)
  if (!feed.ok) throw new Error('malformed')
  return feed
}

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')

describe('the revocation feed', () => {
  test('comes back as it went', () => {
    const feed = decode(encodeFeed(header, [encodeSegments(key, oneOfEach)]))
    expect(feed.header).toEqual(header)
    expect(feed.count).toBe(oneOfEach.length)
    expect(list(feed.segments)).toEqual(expected(oneOfEach))
  })

  test('is these bytes, in version 1', () => {
    const bytes = encodeFeed({ ...header, snapshot: false }, [encodeSegments(key, [{ kind: 'sub', id: 'u', ver: 300, end: END }])])
    const [row] = expected([{ kind: 'sub', id: 'u', ver: 300, end: END }])
    const prefix = [row?.[1], row?.[2]].map((word) => word?.toString(16).padStart(8, '0')).join('')
    expect(hexOf(bytes)).toBe(
      [
        '53505246',
        '01',
        '00',
        '0000',
        '00ff00ff00ff00ff',
        '0000018bcfe5687b',
        '0000018bcfe6f068',
        '0000000100000004',
        '000102030405060708090a0b0c0d0e0f',
        '05',
        '6553f29a',
        '01',
        prefix,
        'ac02',
      ].join(''),
    )
  })

  test('joins stored segments without reading them', () => {
    const parts = [oneOfEach.slice(0, 3), oneOfEach.slice(3)].map((part) => encodeSegments(key, part))
    const feed = decode(encodeFeed(header, parts))
    expect(list(feed.segments)).toEqual(expected(oneOfEach))
  })

  test('may hold nothing', () => {
    const feed = decode(encodeFeed(header, [encodeSegments(key, [])]))
    expect(feed.count).toBe(0)
    expect(feed.segments).toHaveLength(0)
  })

  test('groups by kind and end', () => {
    const denials = Array.from({ length: 200 }, (_, i): Denial => ({ kind: 'sid', id: `s${i}`, end: END + (i % 2) }))
    const bytes = encodeSegments(key, denials)
    expect(bytes).toHaveLength(2 * (1 + 4 + 1) + 200 * 8)
    expect(list(bytes)).toHaveLength(200)
  })

  test('is read from a view into a larger buffer', () => {
    const bytes = encodeFeed(header, [encodeSegments(key, oneOfEach)])
    const padded = new Uint8Array(bytes.length + 9)
    padded.set(bytes, 5)
    expect(list(decode(padded.subarray(5, 5 + bytes.length)).segments)).toEqual(expected(oneOfEach))
  })

  test('holds 1,000 denials in 20 kB, even when each is a segment of its own', () => {
    const worst = Array.from({ length: 1000 }, (_, i) =>
      encodeSegments(key, [{ kind: 'client_id', id: `c${i}`, not_after_iat: EVERY_IAT, end: END }]),
    )
    expect(encodeFeed(header, worst).length).toBeLessThanOrEqual(20_000)
  })

  test('holds a million denials in 10 MB', () => {
    const denials = Array.from({ length: 1_000_000 }, (_, i): Denial => {
      const id = `id-${i}`
      const end = END + (i % 310)
      return i % 4 === 0 ? { kind: 'sub', id, ver: i % 1000, end } : { kind: 'sid', id, end }
    })
    const bytes = encodeFeed(header, [encodeSegments(key, denials)])
    expect(bytes.length).toBeLessThanOrEqual(10_000_000)
    expect(decode(bytes).count).toBe(1_000_000)
  })

  test.each([
    ['an end past 32 bits', { kind: 'sid', id: 's', end: 2 ** 32 }],
    ['an end that is no integer', { kind: 'sid', id: 's', end: 1.5 }],
    ['a negative bound', { kind: 'sub', id: 's', ver: -1, end: END }],
  ] as const)('is not written with %s', (_name, denial) => {
    expect(() => encodeSegments(key, [denial])).toThrow(RangeError)
  })

  test('is not written with a bad header', () => {
    expect(() => encodeFeed({ ...header, epoch: 'FF' }, [])).toThrow(RangeError)
    expect(() => encodeFeed({ ...header, key: new Uint8Array(8) }, [])).toThrow(RangeError)
    expect(() => encodeFeed({ ...header, sequence: -1 }, [])).toThrow(RangeError)
  })
})

describe('hostile bytes', () => {
  const good = encodeFeed(header, [encodeSegments(key, oneOfEach)])
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = good.slice()
    bytes[at] = value
    return bytes
  }
  const withSegments = (...bytes: number[]): Uint8Array => encodeFeed(header, [Uint8Array.from(bytes)])
  const eight = [1, 2, 3, 4, 5, 6, 7, 8]
  const end = [0x65, 0, 0, 0]

  test.each([
    ['nothing', new Uint8Array(0)],
    ['half a header', good.subarray(0, 55)],
    ['another magic', changed(0, 0)],
    ['another version', changed(4, 2)],
    ['an unknown flag', changed(5, 3)],
    ['a reserved byte in use', changed(7, 1)],
    ['a sequence past 2^53', changed(32, 0x80)],
    ['the kind 0', withSegments(0, ...end, 1, ...eight)],
    ['an unknown kind', withSegments(7, ...end, 1, ...eight)],
    ['a count of 0', withSegments(1, ...end, 0)],
    ['a count that lies', withSegments(1, ...end, 2, ...eight)],
    ['a huge count', withSegments(1, ...end, 0xff, 0xff, 0xff, 0xff, 0x0f, ...eight)],
    ['a count past 32 bits', withSegments(1, ...end, 0xff, 0xff, 0xff, 0xff, 0x1f, ...eight)],
    ['a count without an end', withSegments(1, ...end, 0x80)],
    ['a count that is not the shortest', withSegments(1, ...end, 0x81, 0x00, ...eight)],
    ['a prefix cut short', withSegments(1, ...end, 1, 1, 2, 3)],
    ['a bound that is missing', withSegments(5, ...end, 1, ...eight)],
    ['a bound past 32 bits', withSegments(5, ...end, 1, ...eight, 0xff, 0xff, 0xff, 0xff, 0x10)],
    ['a bound of six bytes', withSegments(5, ...end, 1, ...eight, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)],
    ['a stray byte at the end', withSegments(1, ...end, 1, ...eight, 9)],
  ])('%s: refused', (_name, bytes) => {
    expect(decodeFeed(bytes)).toMatchObject({ ok: false })
  })

  test('every cut of a good feed is refused or is a shorter feed', () => {
    for (let length = 0; length < good.length; length++) {
      const feed = decodeFeed(good.subarray(0, length))
      if (feed.ok) expect(list(feed.segments)).toEqual(expected(oneOfEach).slice(0, feed.count))
    }
  })

  test('no bytes make the decoder throw or visit more than they can hold', () => {
    let state = 1
    const random = (): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return state >>> 24
    }
    for (let run = 0; run < 3000; run++) {
      const bytes = run % 2 === 0 ? good.slice() : encodeFeed(header, [Uint8Array.from({ length: random() }, random)])
      for (let flips = random() % 4; flips >= 0; flips--) bytes[random() % bytes.length] = random()
      const feed = decodeFeed(bytes)
      let visits = 0
      forEachDenial(bytes.subarray(56), () => visits++)
      expect(visits).toBeLessThanOrEqual(bytes.length / 8)
      if (feed.ok) expect(visits).toBe(feed.count)
    }
  })
})

describe('a cursor', () => {
  test('comes back as it went', () => {
    expect(formatCursor({ epoch: '00000000000000ff', sequence: 12 })).toBe('00000000000000ff.12')
    expect(parseCursor('00000000000000ff.12')).toEqual({ epoch: '00000000000000ff', sequence: 12 })
    expect(parseCursor(formatCursor({ epoch: header.epoch, sequence: Number.MAX_SAFE_INTEGER }))?.sequence).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.each([
    '',
    '00000000000000ff',
    '00000000000000ff.',
    '00000000000000ff.01',
    '00000000000000ff.-1',
    '00000000000000ff.1e3',
    '00000000000000FF.1',
    'ff.1',
    ' 00000000000000ff.1',
    '00000000000000ff.1\n',
    '00000000000000ff.9999999999999999',
    '00000000000000ff.1.2',
  ])('%j is none', (text) => {
    expect(parseCursor(text)).toBeNull()
  })
})
