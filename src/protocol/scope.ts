// The scope grammar of RFC 6749 3.3: scope-tokens of printable ASCII without `"` and `\`, with one space between them.

const grammar = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

/**
 * The scope-tokens of a scope string, in order, each once.
 * @returns null when the text is not a scope by its grammar; the empty string is not one.
 */
export function parseScope(text: string): string[] | null {
  return grammar.test(text) ? [...new Set(text.split(' '))] : null
}

/** Whether everything that `wanted` asks for is `granted`. Each is a scope string or a list of scope-tokens; nothing wanted is always granted. */
export function includesScope(granted: string | readonly string[], wanted: string | readonly string[]): boolean {
  const held = listScope(granted)
  return listScope(wanted).every((scope) => held.includes(scope))
}

function listScope(scope: string | readonly string[]): readonly string[] {
  if (typeof scope !== 'string') return scope
  return scope === '' ? [] : scope.split(' ')
}
