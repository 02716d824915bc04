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

async function signedOut(c: AppContext, refreshToken: string | undefined) {
  const { ring } = c.get('services')
  const { account } = c.get('objects')
  const cookie = readCookie(c, SESSION_COOKIE)
  if (refreshToken !== undefined) {
    if (cookie !== null) throw new ApiError('two_credentials')
    const opened = await openRefreshToken(ring, refreshToken)
    if (!opened) throw new ApiError('invalid_grant', { reason: 'the refresh token does not open' })
    const { sub, grant_id, generation, secret } = opened
    return account(sub, 'signOut', (stub) => stub.signOut({ by: 'refresh_token', grant_id, generation, secret }))
  }
  if (cookie === null) throw new ApiError('no_session')
  requireOwnOrigin(c)
  const opened = await openSessionCookie(ring, cookie)
  if (!opened) throw new ApiError('no_session', { reason: 'the cookie does not open' })
  const { sub, sid, secret } = opened
  return account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret }))
}

export const signOut = withBody({
  summary:
    'End the session of the cookie, or of {"refresh_token"}: any generation, living or dead. On 503 it has ended all the same; repeat.',
  access: 'open',
  body: SignOutBody,
  answers: { 204: { description: 'Ended, and the revocation list knows.' } },
  problems: ['no_session', 'invalid_grant', 'two_credentials', 'cross_origin', 'unavailable'],
  async handle(c, body) {
    const answer = await signedOut(c, body.refresh_token)
    if (!answer.ok)
      throw new ApiError(body.refresh_token === undefined ? 'no_session' : 'invalid_grant', { reason: "not the session's secret" })
    requireDenied(answer)
    log(c, 'info', 'signed_out')
    if (body.refresh_token === undefined) clearSessionCookie(c)
    return c.body(null, 204)
  },
})
