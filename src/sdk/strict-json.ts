// JSON with one reading only (RFC 8259; RFC 7515 10.12): two parsers must never see two different tokens.

export type JsonReading = { ok: true; value: unknown } | { ok: false }

const MAX_DEPTH = 8
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Strings, brackets, commas and numbers, in a text that is JSON. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]|[-0-9][^\s,\]}]*/g

/**
 * Reads UTF-8 JSON. Refuses what parsers read differently: bad UTF-8, a byte order mark, a member that occurs twice in one object, the
 * member `__proto__`, numbers that are no doubles or integers past 2^53, strings with half a surrogate pair, and nesting past 8 levels.
 */
export function readStrictJson(bytes: Uint8Array): JsonReading {
  try {
    const text = decoder.decode(bytes)
    const value: unknown = JSON.parse(text)
    return hasOneReading(text) ? { ok: true, value } : { ok: false }
  } catch {
    return { ok: false }
  }
}

/** Looks at the tokens of a text that `JSON.parse` took, so its grammar is not in question. */
function hasOneReading(text: string): boolean {
  // For each open object the names seen so far; null for each open array.
  const open: (Set<string> | null)[] = []
  let expectsName = false
  for (const [token] of text.matchAll(tokens)) {
    const names = open.at(-1)
    if (token[0] === '"') {
      const content = String(JSON.parse(token))
      if (!content.isWellFormed()) return false
      if (!expectsName || !names) continue
      if (content === '__proto__' || names.has(content)) return false
      names.add(content)
      expectsName = false
    } else if (token === '{' || token === '[') {
      if (open.length === MAX_DEPTH) return false
      open.push(token === '{' ? new Set() : null)
      expectsName = token === '{'
    } else if (token === '}' || token === ']') {
      open.pop()
      expectsName = false
    } else if (token === ',') expectsName = !!names
    // A number.
    else if (Math.abs(Number(token)) > Number.MAX_SAFE_INTEGER) return false
  }
  return true
}
