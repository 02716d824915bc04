import { EMPTY_HASH, extendHash, isListed, LISTED_LENGTHS } from './blocklist.ts'

/** What a listed word or password counts, however long: whoever guesses tries a few thousand of them first. */
const LISTED_CHOICES = 3
const YEAR_CHOICES = 2
/** Steps between neighbours that repeat after at most so many characters are a pattern: "aaaa", "4567", "1q2w3e4r", "1qaz2wsx". */
const LONGEST_PERIOD = 8
/** Fewer repeated steps than this are chance. */
const FEWEST_REPEATS = 3

const KEYBOARD = ['`1234567890-=', '~!@#$%^&*()_+', '\tqwertyuiop[]\\', "\tasdfghjkl;'", '\tzxcvbnm,./']
const KEYBOARD_ROWS = [0, 0, 1, 2, 3]
const SPOKEN_ALIKE: Record<string, string> = {
  '@': 'a',
  '4': 'a',
  '8': 'b',
  '3': 'e',
  '6': 'g',
  '!': 'i',
  '0': 'o',
  $: 's',
  '5': 's',
  '7': 't',
  '2': 'z',
}

type Segment = { end: number; choices: number }

/**
 * Answers how many independent choices a password holds at most: each character is one, but a listed word, a year, a
 * repetition, a sequence or a walk over the keyboard counts as the few choices that describe it. The least over all ways to
 * cut the password into such pieces. `characters` are lower-case, one code point each; linear in their number.
 */
export function countChoices(characters: readonly string[]): number {
  const segmentsAt = [...readings(characters).map(listedSegments), patternSegments(characters), yearSegments(characters)]
  const least = new Float64Array(characters.length + 1).fill(Number.POSITIVE_INFINITY)
  least[0] = 0
  for (let at = 0; at < characters.length; at++) {
    const before = least[at] ?? 0
    const reach = ({ end, choices }: Segment) => {
      least[end] = Math.min(least[end] ?? 0, before + choices)
    }
    reach({ end: at + 1, choices: 1 })
    for (const segments of segmentsAt) segments(at).forEach(reach)
  }
  return least[characters.length] ?? 0
}

type SegmentsAt = (at: number) => Segment[]

/** The text as it stands, and with "p@ssw0rd" read as the word it means; a 1 may stand for two letters. */
function readings(characters: readonly string[]): (readonly string[])[] {
  const alike = (one: string) => characters.map((character) => (character === '1' ? one : (SPOKEN_ALIKE[character] ?? character)))
  return characters.some((character) => character === '1' || character in SPOKEN_ALIKE)
    ? [characters, alike('i'), alike('l')]
    : [characters]
}

function listedSegments(characters: readonly string[]): SegmentsAt {
  const codePoints = characters.map((character) => character.codePointAt(0) ?? 0)
  return (at) => {
    const segments: Segment[] = []
    const last = Math.min(codePoints.length, at + LISTED_LENGTHS.max)
    let hash = EMPTY_HASH
    for (let end = at + 1; end <= last; end++) {
      hash = extendHash(hash, codePoints[end - 1] ?? 0)
      if (end - at >= LISTED_LENGTHS.min && isListed(hash)) segments.push({ end, choices: LISTED_CHOICES })
    }
    return segments
  }
}

function yearSegments(characters: readonly string[]): SegmentsAt {
  return (at) => (/^(19|20)\d\d$/.test(characters.slice(at, at + 4).join('')) ? [{ end: at + 4, choices: YEAR_CHOICES }] : [])
}

function patternSegments(characters: readonly string[]): SegmentsAt {
  const places = [
    characters.map((character) => character.codePointAt(0) ?? Number.NaN),
    characters.map((key) => KEYS.get(key) ?? Number.NaN),
  ]
  const lines = places.flatMap((line) =>
    Array.from({ length: LONGEST_PERIOD }, (_, index) => ({ period: index + 1, repeats: repeatsAt(line, index + 1) })),
  )
  return (at) =>
    lines.flatMap(({ period, repeats }) => {
      const repeated = repeats[at + period] ?? 0
      if (repeated < Math.max(FEWEST_REPEATS, period / 2)) return []
      return [{ end: at + period + 1 + repeated, choices: period + 1 }]
    })
}

/** For each place, how many steps from there on equal the step one period before. A step off the keyboard is NaN, which equals nothing. */
function repeatsAt(places: readonly number[], period: number): Uint16Array {
  const repeats = new Uint16Array(places.length + 1)
  const step = (at: number) => (places[at + 1] ?? Number.NaN) - (places[at] ?? Number.NaN)
  for (let at = places.length - 2; at >= period; at--) repeats[at] = step(at) === step(at - period) ? (repeats[at + 1] ?? 0) + 1 : 0
  return repeats
}

const KEYS = new Map(
  KEYBOARD.flatMap((keys, line) => [...keys].map((key, column): [string, number] => [key, (KEYBOARD_ROWS[line] ?? 0) * 100 + column])),
)
