import type { ConfiguredClients } from '../clients/configured-clients.ts'
import { type AccessTokenClaims, FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import type { LiveAnswer, TokenError } from '../sdk/index.ts'
import { idsOf } from '../sessions/prove-token.ts'
import { clientCheckOf } from './client-check.ts'
import type { Objects } from './objects.ts'
import { publishedKeys } from './published-keys.ts'

/**
 * How a `live` answer says why we refuse a token. One that has expired by our clock alone is to be renewed, like an outdated one: whoever asks
 * found it good by theirs, and `revoked` would sign an honest client out.
 */
export const liveErrorOf = ({ code }: TokenError): 'outdated' | 'revoked' =>
  code === 'token_outdated' || code === 'token_expired' ? 'outdated' : 'revoked'

const REVOKED: LiveAnswer = { active: false, error: 'revoked' }

const answerOf = (verdict: 'active' | 'outdated' | 'revoked'): LiveAnswer =>
  verdict === 'active' ? { active: true } : { active: false, error: verdict }

/**
 * The `live` answer about a verified token (design, "Freshness"): of its account, and of its client where that is one that can go. A
 * machine's token has no account; its client answers for it. None of them knows of keys: the key set says whether a doubted one is denied.
 */
export function liveCheckOf(objects: Objects, configured: ConfiguredClients) {
  const { account, keySet } = objects
  const ofClient = clientCheckOf(objects, configured)
  const publishes = publishedKeys(
    () => keySet('jwks', (stub) => stub.jwks()),
    () => Date.now(),
  )

  const ofToken = async (claims: AccessTokenClaims): Promise<LiveAnswer> => {
    const { sub, client_id, sid, ver } = claims
    if (client_id === FIRST_PARTY_CLIENT_ID) {
      return sid === undefined ? REVOKED : answerOf(await account(sub, 'check', (stub) => stub.check(sid, ver)))
    }
    const asked = ofClient(claims)
    if (sub === client_id || ('active' in asked && !asked.active)) return asked
    const ids = idsOf(claims)
    const [person, app] = await Promise.all([account(sub, 'checkGrant', (stub) => stub.checkGrant(ids)), asked])
    return app.active ? answerOf(person) : app
  }

  return async (_token: string, claims: AccessTokenClaims, doubtedKid?: string): Promise<LiveAnswer> => {
    if (doubtedKid === undefined) return ofToken(claims)
    const [published, answer] = await Promise.all([publishes(doubtedKid), ofToken(claims)])
    return published ? answer : REVOKED
  }
}
