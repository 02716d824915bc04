/**
 * What a caller has sent, where all these members are there. In a gradual deployment an older Worker calls for a moment, and leaves out
 * what it does not know: to go on without it would allow what it forbids. Thrown, so that `call` answers 503 and nothing has changed.
 */
export function requireMembers<T extends object>(sent: T, ...names: (keyof T & string)[]): T {
  const missing = names.find((name) => sent[name] === undefined)
  if (missing !== undefined) throw new Error(`The caller is of another version: ${missing} is missing.`)
  return sent
}
