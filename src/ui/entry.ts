import type { ClientIdentity } from './client-identity.ts'

/**
 * What the sign-in and the sign-up page share: where to go on afterwards (`carried`: `request` or `continue`, kept by the forms and by the
 * links between them), which client asks, what was typed, and what is wrong with it.
 */
export type Entry = {
  carried: Readonly<Record<string, string>>
  client: ClientIdentity | null
  typed: Readonly<{ email?: string | undefined; name?: string | undefined }>
  /** By the field's name; under '' for the form as a whole. */
  errors: Readonly<Record<string, string>>
  nonce: string
}

/** A link between the two that keeps where to go on. */
export function linkTo(path: string, carried: Entry['carried']): string {
  const query = new URLSearchParams(carried).toString()
  return query === '' ? path : `${path}?${query}`
}
