import { FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import { openRefreshToken } from '../tokens/refresh-token.ts'
import { accessTokenAnswer, prepareSigning, tokensAnswer } from './answer.ts'
import { tokenAsk } from './ask.ts'
import { requireCookie, unproven } from './caller.ts'
import { log } from './log.ts'
import { networkDigest } from './network.ts'
import { withBody } from './operation.ts'
import { ApiError } from './problem.ts'
import { AccessTokenAnswer, RefreshBody, TokenBody, TokensAnswer } from './schemas.ts'

export const token = withBody({
  summary: 'The hybrid: a session cookie vouches for an access token of 5 minutes. No refresh token.',
  access: 'cookie',
  body: TokenBody,
  answers: { 200: { description: 'The access token.', schema: AccessTokenAnswer } },
  problems: ['no_session', 'two_credentials', 'cross_origin', 'invalid_target', 'invalid_scope'],
  async handle(c, body) {
    const { sub, proof } = await requireCookie(c)
    const ask = tokenAsk(c.get('services').config, body)
    const minted = await c.get('objects').account(sub, 'mintToken', (stub) => stub.mintToken(proof, ask))
    if (!minted.ok) throw unproven(minted)
    return c.json(await accessTokenAnswer(c, minted.token, await prepareSigning(c)))
  },
})

/**
 * One presentation of a first-party refresh token. Safe to repeat: the second arrival of the same generation gets the same successor.
 */
export const refresh = withBody({
  summary: 'Exchange a refresh token for the next one. Within 30 s the same token gets the same successor, any number of times.',
  access: 'open',
  body: RefreshBody,
  answers: { 200: { description: 'The next tokens.', schema: TokensAnswer } },
  problems: ['invalid_grant', 'unavailable'],
  async handle(c, body) {
    const { ring, config } = c.get('services')
    const opened = await openRefreshToken(ring, body.refresh_token)
    if (!opened) throw new ApiError('invalid_grant', { reason: 'the refresh token does not open' })
    const { sub, grant_id, generation, secret } = opened
    const network = networkDigest(ring, c.req.header('CF-Connecting-IP'))
    // A rotation whose access token cannot be signed would be a lost response of our own making.
    const sign = await prepareSigning(c)
    const presented = {
      ...{ grant_id, generation, secret, network, client_id: FIRST_PARTY_CLIENT_ID, secret_id: ring.newest.id },
      allowed: { scopes: config.scopes, audiences: config.audiences },
    }
    const refreshed = await c.get('objects').account(sub, 'rotateRefreshToken', (stub) => stub.rotateRefreshToken(presented))
    if (!refreshed.ok) {
      if (refreshed.reason === 'reuse') log(c, 'warn', 'refresh_reuse', { sub, grant_id, generation })
      throw new ApiError('invalid_grant', { reason: refreshed.reason })
    }
    if (refreshed.zone === 'B') log(c, 'info', 'refresh_recovered', { sub, grant_id, generation })
    return c.json(await tokensAnswer(c, refreshed.sid, refreshed.token, refreshed.refresh, sign))
  },
})
