import type { AppContext } from '../context.ts'
import { log } from '../log.ts'
import type { Parameters } from '../oauth/form.ts'
import { type ApiError, PROBLEMS, type ProblemCode } from '../problem.ts'
import type { PageOptions } from './page.tsx'

/** The field that a refusal is about, beside those that say so themselves. */
const FIELD: Partial<Record<ProblemCode, string>> = {
  identifier_taken: 'email',
  password_too_short: 'password',
  password_too_long: 'password',
  password_common: 'password',
  password_contains_identifier: 'password',
  password_malformed: 'password',
}

const TOGETHER = ['too_many_attempts', 'overloaded', 'invalid_credentials']

/** Whether the form can be shown again with what is wrong; what is wrong with the request itself has a page of its own. */
export const isOfTheForm = ({ code, errors }: ApiError): boolean =>
  errors !== undefined || FIELD[code] !== undefined || TOGETHER.includes(code)

/** Messages by field; under '' for the form as a whole. */
export function messagesOf({ code, detail, errors }: ApiError): Record<string, string> {
  if (errors !== undefined) {
    return Object.fromEntries(errors.map(({ pointer, detail }) => [pointer.slice(1), `This ${detail}.`]))
  }
  return { [FIELD[code] ?? '']: detail ?? PROBLEMS[code][1] }
}

/** How the form is answered that is shown again: the status and headers that `/api` would answer. */
export function optionsOf({ code, headers }: ApiError): PageOptions {
  const [status] = PROBLEMS[code]
  // RFC 9110, 15.5.2: a 401 names a scheme.
  return { status, headers: { ...headers, ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}) } }
}

export function logRefused(c: AppContext, { code, reason }: ApiError): void {
  log(c, 'info', 'refused', { code, status: PROBLEMS[code][0], ...(reason ? { reason } : {}) })
}

/** The named fields of a form as its schema takes them: one that was left empty is absent. */
export const typedIn = (form: Parameters, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (form.has(name) ? [[name, form.get(name) ?? '']] : [])))
