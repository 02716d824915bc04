import type { Sign } from '../keys/signer.ts'
import type { Ended } from '../objects/account-answers.ts'
import type { TokenGrant } from '../sessions/session.ts'
import type { Generation, StartedSession } from '../sessions/start.ts'
import { sealDeviceCookie } from '../tokens/device-cookie.ts'
import { sealRefreshToken } from '../tokens/refresh-token.ts'
import { sealSessionCookie } from '../tokens/session-cookie.ts'
import type { AppContext } from './context.ts'
import { writeDeviceCookie, writeSessionCookie } from './cookies.ts'
import { ApiError } from './problem.ts'

type Profile = { email: string; name: string | null; roles: string[] }

/** How to sign an access token now; the poll that it may start outlives the request. */
export function prepareSigning(c: AppContext): Promise<Sign> {
  return c.get('services').signer.prepare(Math.floor(Date.now() / 1000), (work) => c.executionCtx.waitUntil(work))
}

/** Signs exactly what the account's transaction granted. */
export async function accessTokenAnswer(c: AppContext, token: TokenGrant, sign: Sign) {
  const access_token = await sign({ iss: c.get('services').config.issuer, ...token })
  return { access_token, token_type: 'Bearer' as const, expires_in: token.exp - token.iat, scope: token.scope }
}

/** A token sign-in and a refresh answer the same shape. */
export async function tokensAnswer(c: AppContext, sid: string, token: TokenGrant, refresh: Generation, sign: Sign) {
  const { ring } = c.get('services')
  const fields = { sub: token.sub, grant_id: refresh.grant_id, generation: refresh.generation, secret: refresh.secret }
  const [answer, sealed] = await Promise.all([accessTokenAnswer(c, token, sign), sealRefreshToken(ring, fields, refresh.secret_id)])
  // The secret that the newest generation was first sealed with has left the ring: its old spelling is dead anyway.
  const refresh_token = sealed ?? (await sealRefreshToken(ring, fields, ring.newest.id))
  return { ...answer, refresh_token, sid }
}

/** What a sign-up or a sign-in has started: enough for its cookies and for its answer. */
export type Started = { sub: string; started: StartedSession; device: { id: string; issued_at: number }; profile: Profile }

/** The cookies of a sign-up or a sign-in: the device, and the session unless tokens carry it. */
export async function writeStartedCookies(c: AppContext, { sub, started, device }: Started): Promise<void> {
  const { ring } = c.get('services')
  writeDeviceCookie(c, await sealDeviceCookie(ring, { sub, device: device.id, issued_at: device.issued_at }))
  if (started.use === 'cookie') {
    writeSessionCookie(c, await sealSessionCookie(ring, { sub, sid: started.session.sid, secret: started.secret }))
  }
}

/** The reply of `/api` to a sign-up or a sign-in, with its cookies. */
export async function startedAnswer(c: AppContext, it: Started, status: 200 | 201) {
  await writeStartedCookies(c, it)
  const { sub, started, profile } = it
  if (started.use === 'tokens') {
    return c.json(await tokensAnswer(c, started.session.sid, started.token, started.refresh, await prepareSigning(c)), status)
  }
  const { email, name, roles } = profile
  return c.json({ sub, email, name, roles, ...started.session }, status)
}

/** 204 once the list holds the denial, else 503: the change is made all the same, the alarm goes on telling, the caller may repeat. */
export function requireDenied({ denied }: Pick<Ended, 'denied'>): void {
  if (!denied)
    throw new ApiError('unavailable', {
      retryAfter: 2,
      reason: 'the revocation list could not be reached',
      detail: 'It is ended; not every verifier knows yet. Repeat the request.',
    })
}
