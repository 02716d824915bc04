import type { Config } from '../config.ts'
import { parseScope } from '../protocol/scope.ts'
import { ApiError } from './problem.ts'

/** The audience and scope of a token that was asked for, out of what this deployment makes tokens for; defaults for what was not said. */
export function tokenAsk({ audiences, scopes, issuer }: Config, asked: { audience?: string | undefined; scope?: string | undefined }) {
  const aud = asked.audience ?? issuer
  if (!audiences.includes(aud)) throw new ApiError('invalid_target', { detail: 'AUDIENCES lists what tokens are made for.' })
  if (asked.scope === undefined) return { aud, scope: scopes[0] ?? '' }
  const wanted = parseScope(asked.scope)
  if (!wanted?.every((item) => scopes.includes(item))) throw new ApiError('invalid_scope', { detail: 'SCOPES lists what tokens may say.' })
  return { aud, scope: wanted.join(' ') }
}
