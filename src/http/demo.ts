import { authenticate } from '../sdk/hono.ts'
import type { Freshness, TokenError } from '../sdk/index.ts'
import { requireCookie, unproven } from './caller.ts'
import type { AppContext, AppEnv } from './context.ts'
import { type Operation, operation } from './operation.ts'
import { ApiError } from './problem.ts'
import { WhoAnswer } from './schemas.ts'

/** The demonstration routes are there with LAB = "on", the default in development. */
export function requireLab(c: AppContext): void {
  if (!c.get('services').config.lab) throw new ApiError('not_found')
}

/** Refusals are written in app.ts, like every other. */
function rethrow(error: TokenError): never {
  throw error
}

const demo = (freshness: Freshness): Operation =>
  operation({
    summary: `Who the access token is for; checked \`${freshness}\`.`,
    access: 'bearer',
    answers: { 200: { description: 'Whose token this is.', schema: WhoAnswer } },
    problems: [],
    before: async (c, next) => {
      requireLab(c)
      return authenticate<AppEnv>({ verifier: c.get('services').verifier, freshness, onError: rethrow })(c, next)
    },
    handle(c) {
      const { sub, sid } = c.get('auth').claims
      return c.json({ sub, sid })
    },
  })

export const demoOffline = demo('offline')
export const demoFresh = demo('fresh')
export const demoLive = demo('live')

export const demoSession = operation({
  summary: 'Whose session the cookie is.',
  access: 'cookie',
  answers: { 200: { description: 'Whose session this is.', schema: WhoAnswer } },
  problems: ['no_session', 'two_credentials'],
  async handle(c) {
    requireLab(c)
    const { sub, proof } = await requireCookie(c)
    const answer = await c.get('objects').account(sub, 'session', (stub) => stub.session(proof))
    if (!answer.ok) throw unproven(answer)
    return c.json({ sub, sid: answer.session.sid })
  },
})
