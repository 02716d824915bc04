import type { UnprovenSession } from '../sessions/prove.ts'
import { openRefreshToken } from '../tokens/refresh-token.ts'
import { openSessionCookie } from '../tokens/session-cookie.ts'
import { requireDenied } from './answer.ts'
import { requireCaller, unproven } from './caller.ts'
import type { AppContext } from './context.ts'
import { clearSessionCookie, readCookie, SESSION_COOKIE } from './cookies.ts'
import { log } from './log.ts'
import { operation, withBody } from './operation.ts'
import { requireOwnOrigin } from './origin.ts'
import { ApiError } from './problem.ts'
import { SessionAnswer, SessionsAnswer, SignOutBody } from './schemas.ts'

const isUnproven = (answer: { ok: boolean; error?: string }): answer is UnprovenSession =>
  !answer.ok && (answer.error === 'no_session' || answer.error === 'revoked' || answer.error === 'outdated')

export const currentSession = operation({
  summary: 'Who is signed in.',
  access: 'session',
  answers: { 200: { description: 'The living session.', schema: SessionAnswer } },
  problems: ['no_session', 'two_credentials'],
  async handle(c) {
    const { sub, proof } = await requireCaller(c)
    const answer = await c.get('objects').account(sub, 'session', (stub) => stub.session(proof))
    if (!answer.ok) throw unproven(answer)
    return c.json({ ...answer.person, ...answer.session })
  },
})

export const listedSessions = operation({
  summary: 'Every living session of the account. Bearer callers see last_used_at to the hour.',
  access: 'session',
  answers: { 200: { description: 'The sessions, oldest first.', schema: SessionsAnswer } },
  problems: ['no_session', 'two_credentials'],
  async handle(c) {
    const { sub, proof } = await requireCaller(c)
    const answer = await c.get('objects').account(sub, 'sessions', (stub) => stub.sessions(proof))
    if (!answer.ok) throw unproven(answer)
    return c.json({ sessions: answer.sessions })
  },
})

export const endedSession = operation({
  summary: 'End one session of the account. One that has already ended: 204 again.',
  access: 'session',
  answers: { 204: { description: 'Ended, and the revocation list knows.' } },
  problems: ['no_session', 'two_credentials', 'cross_origin', 'not_found', 'unavailable'],
  async handle(c) {
    const { sub, proof } = await requireCaller(c)
    const sid = c.req.param('sid') ?? ''
    const answer = await c.get('objects').account(sub, 'endSession', (stub) => stub.endSession(proof, sid))
    if (!answer.ok) throw isUnproven(answer) ? unproven(answer) : new ApiError('not_found')
    requireDenied(answer)
    log(c, 'info', 'session_ended', { sub, sid })
    if (proof.kind === 'cookie' && proof.sid === sid) clearSessionCookie(c)
    return c.body(null, 204)
  },
})

export const endedSessions = operation({
  summary: "End every session of the account, the caller's too.",
  access: 'session',
  answers: { 204: { description: 'Ended, and the revocation list knows.' } },
  problems: ['no_session', 'two_credentials', 'cross_origin', 'unavailable'],
  async handle(c) {
    const { sub, proof } = await requireCaller(c)
    const answer = await c.get('objects').account(sub, 'endEverySession', (stub) => stub.endEverySession(proof))
    if (!answer.ok) throw unproven(answer)
    requireDenied(answer)
    log(c, 'info', 'sessions_ended', { sub })
    if (proof.kind === 'cookie') clearSessionCookie(c)
    return c.body(null, 204)
  },
})

/** Ends the session of the cookie, for the JSON route and the page alike; on 503 it has ended, and the cookie is kept to repeat with. */
export async function signOutByCookie(c: AppContext): Promise<void> {
  const cookie = readCookie(c, SESSION_COOKIE)
  if (cookie === null) throw new ApiError('no_session')
  requireOwnOrigin(c)
  const opened = await openSessionCookie(c.get('services').ring, cookie)
  if (!opened) throw new ApiError('no_session', { reason: 'the cookie does not open' })
  const { sub, sid, secret } = opened
  const ended = await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret }))
  if (!ended.ok) throw new ApiError('no_session', { reason: "not the session's secret" })
  requireDenied(ended)
  log(c, 'info', 'signed_out')
  clearSessionCookie(c)
}

async function signOutByRefreshToken(c: AppContext, refreshToken: string): Promise<void> {
  if (readCookie(c, SESSION_COOKIE) !== null) throw new ApiError('two_credentials')
  const opened = await openRefreshToken(c.get('services').ring, refreshToken)
  if (!opened) throw new ApiError('invalid_grant', { reason: 'the refresh token does not open' })
  const { sub, grant_id, generation, secret } = opened
  const known = { by: 'refresh_token' as const, grant_id, generation, secret }
  const ended = await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut(known))
  if (!ended.ok) throw new ApiError('invalid_grant', { reason: "not the session's secret" })
  requireDenied(ended)
  log(c, 'info', 'signed_out')
}

export const signOut = withBody({
  summary:
    'End the session of the cookie, or of {"refresh_token"}: any generation, living or dead. On 503 it has ended all the same; repeat.',
  access: 'open',
  body: SignOutBody,
  answers: { 204: { description: 'Ended, and the revocation list knows.' } },
  problems: ['no_session', 'invalid_grant', 'two_credentials', 'cross_origin', 'unavailable'],
  async handle(c, body) {
    await (body.refresh_token === undefined ? signOutByCookie(c) : signOutByRefreshToken(c, body.refresh_token))
    return c.body(null, 204)
  },
})
