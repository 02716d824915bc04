import type { Parameters, ResponseMode } from '../../oauth/authorization-request.ts'
import type { OAuthErrorCode } from '../../protocol/oauth-error.ts'
import type { AppContext } from '../context.ts'
import { formPostPage } from '../pages/form-post.tsx'
import { leavePage } from '../pages/leave.tsx'

/**
 * Where the answer to an authorization request goes, and how: both checked before anything else is read. `asks`: nobody goes there without
 * having been asked, because anybody can write the document that says so.
 */
export type ReturnAddress = { redirect_uri: string; mode: ResponseMode; state: string | null; asks: boolean }

export type AuthorizationAnswer = { code: string } | { error: OAuthErrorCode; error_description: string }

/**
 * RFC 6749, 4.1.2; `iss` (RFC 9207) in every answer, so that a client of several servers knows whose it is. 303: a password never
 * travels on. An error that nobody has had a hand in is no open redirector to a stranger's site (RFC 9700, 4.11.2).
 */
export function answerAt(
  c: AppContext,
  { redirect_uri, mode, state, asks }: ReturnAddress,
  answer: AuthorizationAnswer,
): Response | Promise<Response> {
  const members = { ...answer, ...(state === null ? {} : { state }), iss: c.get('services').config.issuer }
  const stays = asks && 'error' in answer
  if (mode === 'form_post') return formPostPage(c, redirect_uri, members, !stays)
  // A custom scheme has no search in every URL parser: the query is joined by hand, as RFC 6749, 3.1.2 says.
  const query = new URLSearchParams(members).toString()
  const url = `${redirect_uri}${redirect_uri.includes('?') ? '&' : '?'}${query}`
  return stays ? leavePage(c, url) : c.redirect(url, 303)
}

export const stateOf = (parameters: Parameters): string | null => parameters.get('state') ?? null
