// JSON with one reading only (RFC 8259; RFC 7515 10.12): two parsers must never see two different tokens.

export type JsonReading = { ok: true; value: unknown } | { ok: false; reason: string }

const MAX_DEPTH = 8
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads UTF-8 JSON. Refuses what parsers read differently: bad UTF-8, a byte order mark, a member that occurs twice in one object, the
 * member `__proto__`, numbers that are no doubles or integers past 2^53, strings with half a surrogate pair, and nesting past 8 levels.
 */
export function readStrictJson(bytes: Uint8Array): JsonReading {
  try {
    const text = decoder.decode(bytes)
    const value: unknown = JSON.parse(text)
    const fault = findFault(text)
    return fault === null ? { ok: true, value } : { ok: false, reason: fault }
  } catch {
    return { ok: false, reason: 'not JSON in UTF-8' }
  }
}

/** Looks at the tokens of a text that `JSON.parse` took, so its grammar is not in question. */
function findFault(text: string): string | null {
  // For each open object the names seen so far; null for each open array.
  const open: (Set<string> | null)[] = []
  let expectsName = false
  for (let at = 0; at < text.length; ) {
    const char = text.charAt(at)
    if (char === '"') {
      const end = endOfString(text, at)
      const content = contentOf(text.slice(at, end))
      if (!content.isWellFormed()) return 'half a surrogate pair'
      const names = open.at(-1)
      if (expectsName && names) {
        if (content === '__proto__') return 'a member named __proto__'
        if (names.has(content)) return 'a member occurs twice'
        names.add(content)
        expectsName = false
      }
      at = end
      continue
    }
    if (char === '{' || char === '[') {
      if (open.length === MAX_DEPTH) return 'nested too deep'
      open.push(char === '{' ? new Set() : null)
      expectsName = char === '{'
    } else if (char === '}' || char === ']') {
      open.pop()
      expectsName = false
    } else if (char === ',') {
      expectsName = open.at(-1) instanceof Set
    } else if (char === '-' || (char >= '0' && char <= '9')) {
      const end = endOfNumber(text, at)
      if (Math.abs(Number(text.slice(at, end))) > Number.MAX_SAFE_INTEGER) return 'a number out of range'
      at = end
      continue
    }
    at++
  }
  return null
}

const contentOf = (quoted: string): string => (quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1))

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1
  return at + 1
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && /[0-9.eE+-]/.test(text.charAt(at))) at++
  return at
}
