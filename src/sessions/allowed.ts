/** What a client may have now: the operator, or its own registration, may have taken something back since it was granted. */
export type Allowed = { scopes: readonly string[]; audiences: readonly string[] }

/** What is left of a scope (separated by spaces); null: it named something, and nothing of that is left. */
export function stillAllowed(scope: string, { scopes }: Allowed): string | null {
  const left = scope.split(' ').filter((each) => scopes.includes(each))
  return scope !== '' && left.length === 0 ? null : left.join(' ')
}
