import { expect, test } from 'vitest'
import { readStrictJson } from '../../src/sdk/strict-json.ts'
import { diceOf } from './hostile-tokens.ts'

const REFUSED = Symbol('refused')
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', '/': '/' }

/** The same reading by hand, one character after the other (RFC 8259): no parser of the platform, no counting. */
class Reference {
  #text = ''
  #at = 0

  read(bytes: Uint8Array): unknown {
    try {
      this.#text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
      this.#at = 0
      const value = this.#value(0)
      return this.#peek() === '' ? value : REFUSED
    } catch {
      return REFUSED
    }
  }

  /** The next character that is no white space; empty at the end. */
  #peek(): string {
    while (/^[ \t\n\r]$/.test(this.#text.charAt(this.#at))) this.#at++
    return this.#text.charAt(this.#at)
  }

  #take(character: string): void {
    if (this.#peek() !== character) throw new Error(character)
    this.#at++
  }

  #value(depth: number): unknown {
    const next = this.#peek()
    if (next === '"') return this.#string().text
    if (next === '{' || next === '[') {
      if (depth === 8) throw new Error('deep')
      return next === '[' ? this.#items(']', () => this.#value(depth + 1)) : Object.fromEntries(this.#members(depth + 1))
    }
    const word = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/.exec(this.#text.slice(this.#at))?.[0]
    if (word === undefined) throw new Error('no value')
    this.#at += word.length
    if (word === 'null') return null
    if (word === 'true' || word === 'false') return word === 'true'
    if (Math.abs(Number(word)) > Number.MAX_SAFE_INTEGER) throw new Error('large')
    return Number(word)
  }

  #items<T>(end: string, read: () => T): T[] {
    this.#at++
    const items: T[] = []
    if (this.#peek() !== end) items.push(read())
    while (this.#peek() !== end) {
      this.#take(',')
      items.push(read())
    }
    this.#at++
    return items
  }

  #members(depth: number): [string, unknown][] {
    const names = new Set<string>()
    return this.#items('}', () => {
      this.#peek()
      const { text, isPlain } = this.#string()
      if (!isPlain || names.has(text) || text === '__proto__') throw new Error('name')
      names.add(text)
      this.#take(':')
      return [text, this.#value(depth)]
    })
  }

  #string(): { text: string; isPlain: boolean } {
    this.#take('"')
    let text = ''
    const from = this.#at
    for (;;) {
      const character = this.#text.charAt(this.#at++)
      if (character === '' || character < ' ') throw new Error('string')
      if (character === '"') break
      text += character === '\\' ? this.#escape() : character
    }
    if (/\p{Surrogate}/u.test(text)) throw new Error('half a pair')
    return { text, isPlain: !this.#text.slice(from, this.#at).includes('\\') }
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at++)
    if (letter !== 'u') {
      const meant = escapes[letter]
      if (meant === undefined) throw new Error('escape')
      return meant
    }
    const digits = this.#text.slice(this.#at, this.#at + 4)
    if (!/^[0-9a-f]{4}$/i.test(digits)) throw new Error('escape')
    this.#at += 4
    return String.fromCharCode(Number.parseInt(digits, 16))
  }
}

const pieces = ['a', 'b', ':', '{', '}', '[', ']', ',', '\\"', '\\\\', '\\/', '\\u003a', '\\ud83e\\udd8a', 'é', '日', '🦊', '\u2028']
const rare = ['\\ud83e', '\\x', '\t', '\ufeff', '__proto__', '"', '\\', '\\u0061']
const words = ['0', '-1', '1.5', '1e3', 'true', 'null', '9007199254740991', '9007199254740993', '1e999', '01', '.5', 'NaN']
const spaces = ['', '', '', '', ' ', '\n', '\t']

/** Texts near JSON: half of them are, and every tenth has a byte changed. */
function textsOf(seed: number) {
  const { int, pick } = diceOf(seed)
  const string = (): string => `"${Array.from({ length: int(4) }, () => pick(int(40) === 0 ? rare : pieces)).join('')}"`
  const name = (): string =>
    int(20) === 0 ? string() : `"${pick(['a', 'b', 'c', 'd', 'é', ':', '{', '[,', '日'])}${pick(['', 'x', 'y', 'z'])}"`
  const value = (depth: number): string => {
    const space = pick(spaces)
    const kind = depth > 9 ? 0 : int(10)
    if (kind < 3) return `${space}${string()}${pick(spaces)}`
    if (kind < 5) return `${space}${int(4) === 0 ? pick(words) : pick(words.slice(0, 7))}${space}`
    const items = Array.from({ length: int(4) }, () => (kind < 8 ? `${name()}${pick(spaces)}:` : '') + value(depth + 1)).join(',')
    return kind < 8 ? `${space}{${items}}` : `[${items}${space}]`
  }
  return (): Uint8Array => {
    const bytes = new TextEncoder().encode(int(50) === 0 ? `${'['.repeat(7)}${value(7)}${']'.repeat(7)}` : value(0))
    if (int(10) === 0) bytes[int(bytes.length)] = int(256)
    return bytes
  }
}

test.each([20261121, 20261122])('of seed %i: 5,000 texts are read, or refused, as by hand; as bytes and as a text of bytes', (seed) => {
  const next = textsOf(seed)
  const reference = new Reference()
  let read = 0
  for (let made = 0; made < 5000; made++) {
    const bytes = next()
    const value = reference.read(bytes)
    const expected = value === REFUSED ? { ok: false } : { ok: true, value }
    if (value !== REFUSED) read++
    const shown = new TextDecoder().decode(bytes)
    expect([shown, readStrictJson(bytes)]).toEqual([shown, expected])
    expect([shown, readStrictJson(String.fromCharCode(...bytes))]).toEqual([shown, expected])
  }
  expect(read).toBeGreaterThan(1000)
  expect(read).toBeLessThan(4000)
})
