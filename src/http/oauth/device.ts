/** The device flow (RFC 8628): a device without a browser asks, a person allows it on another one. */
import { CODE_SECONDS } from '../../oauth/authorize.ts'
import { DEVICE_SECONDS, newUserCode, POLL_SECONDS, readUserCode, showUserCode } from '../../oauth/device-request.ts'
import { includesScope, parseScope } from '../../protocol/scope.ts'
import { hashSecret, type SessionProof } from '../../sessions/prove.ts'
import { sealDeviceCode } from '../../tokens/device-code.ts'
import { openSessionCookie } from '../../tokens/session-cookie.ts'
import type { AppContext } from '../context.ts'
import { readCookie, SESSION_COOKIE } from '../cookies.ts'
import { log } from '../log.ts'
import { operation } from '../operation.ts'
import { requireOwnPage } from '../origin.ts'
import { deviceConfirmPage, deviceDonePage, devicePage } from '../pages/device.tsx'
import { ownSession } from '../pages/own-session.ts'
import { ApiError } from '../problem.ts'
import { authenticateClient } from './authenticate-client.ts'
import { findClient } from './find-client.ts'
import { readForm, readPageForm } from './form.ts'
import { OAuthError } from './oauth-error.ts'
import { offerOf } from './offer.ts'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

const objectOf = (userCode: string) => `device:${userCode}`

/** How many user codes are drawn before one is free; with 2^34 of them a second draw is news. */
const DRAWS = 4

export const deviceAuthorization = operation({
  summary: 'Begins the device flow (RFC 8628, 3.1).',
  access: 'client',
  answers: {
    200: { description: '{"device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"}' },
  },
  problems: [],
  async handle(c) {
    const form = await readForm(c)
    const client = await authenticateClient(c, form)
    if (!client.grant_types.includes(DEVICE_GRANT))
      throw new OAuthError('unauthorized_client', 'The client is not registered for the device flow.')
    const { config, ring } = c.get('services')
    const offer = offerOf(config)
    const text = form.get('scope') ?? ''
    const asked = text === '' ? [] : parseScope(text)
    if (!asked || !includesScope(offer.scopes, asked) || (client.scope !== null && !includesScope(client.scope, asked))) {
      throw new OAuthError('invalid_scope', 'This client may not ask for all of these scopes.')
    }
    const aud = form.get('resource') ?? config.issuer
    if (!aud.split(' ').every((resource) => config.audiences.includes(resource))) {
      throw new OAuthError('invalid_target', 'resource must be one of the audiences of this issuer.')
    }
    const secret = crypto.getRandomValues(new Uint8Array(16))
    const expires_at = Math.floor(Date.now() / 1000) + DEVICE_SECONDS
    const request = { client_id: client.client_id, secret_hash: hashSecret(secret), scope: asked.join(' '), aud, expires_at }
    const user_code = await draw(c, request)
    const verification_uri = `${config.issuer}/device`
    return c.json({
      device_code: await sealDeviceCode(ring, { user_code, secret }),
      user_code: showUserCode(user_code),
      verification_uri,
      verification_uri_complete: `${verification_uri}?user_code=${showUserCode(user_code)}`,
      expires_in: DEVICE_SECONDS,
      interval: POLL_SECONDS,
    })
  },
})

type Begun = { client_id: string; secret_hash: ArrayBuffer; scope: string; aud: string; expires_at: number }

async function draw(c: AppContext, request: Begun): Promise<string> {
  for (let draws = 0; draws < DRAWS; draws++) {
    const code = newUserCode()
    if (await c.get('objects').authorizationRequest(objectOf(code), 'beginDevice', (stub) => stub.beginDevice(request))) return code
  }
  throw new OAuthError('temporarily_unavailable', 'No user code is free.', { headers: { 'Retry-After': '5' } })
}

type Viewer = { sub: string; proof: Extract<SessionProof, { kind: 'cookie' }> }

async function viewerOf(c: AppContext): Promise<Viewer | null> {
  const cookie = readCookie(c, SESSION_COOKIE)
  const opened = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
  return opened && { sub: opened.sub, proof: { kind: 'cookie', sid: opened.sid, secret: opened.secret } }
}

/** Whoever is not signed in comes back here with the code that they followed. */
function toSignIn(c: AppContext, typed: string): Response {
  const code = readUserCode(typed)
  const here = code === null ? '/device' : `/device?user_code=${showUserCode(code)}`
  return c.redirect(`/sign-in?${new URLSearchParams({ continue: here })}`, 303)
}

const UNKNOWN = 'There is no such code. Look at your device again: it may have got a new one.'

export const device = operation({
  summary: 'The page on which a person types the code that a device shows.',
  access: 'open',
  page: true,
  query: { user_code: 'Filled in already.' },
  answers: { 200: { description: 'A page.' }, 303: { description: 'To the sign-in page.' } },
  problems: [],
  async handle(c) {
    const typed = c.req.query('user_code') ?? ''
    if ((await ownSession(c)) === null) return toSignIn(c, typed)
    const code = readUserCode(typed)
    return devicePage(c, code === null ? {} : { userCode: showUserCode(code) })
  },
})

/** The code is looked up (each wrong one is counted), shown with whose it is, and then decided: two posts of one form. */
export const deviceByPost = operation({
  summary: "The device page's answers: fields `user_code`, and `decision`: `allow` or `deny`.",
  access: 'open',
  page: true,
  answers: { 200: { description: 'A page.' }, 303: { description: 'To the sign-in page.' } },
  problems: ['cross_origin', 'invalid_request', 'too_many_attempts'],
  async handle(c) {
    requireOwnPage(c)
    const form = await readPageForm(c)
    const typed = form.get('user_code') ?? ''
    const viewer = await viewerOf(c)
    if (!viewer) return toSignIn(c, typed)
    const { account, authorizationRequest } = c.get('objects')
    const counted = await account(viewer.sub, 'countUserCode', (stub) => stub.countUserCode(viewer.proof), { repeatable: false })
    if (!counted.ok && counted.error !== 'too_many_attempts') return toSignIn(c, typed)
    if (!counted.ok) throw new ApiError('too_many_attempts', { retryAfter: counted.retryAfter, detail: 'Too many wrong codes.' })
    const code = readUserCode(typed)
    const by = { sub: viewer.sub, sid: viewer.proof.sid }
    const viewed = code === null ? null : await authorizationRequest(objectOf(code), 'viewDevice', (stub) => stub.viewDevice(by))
    if (code === null || !viewed?.ok) return devicePage(c, { userCode: typed.slice(0, 16), error: UNKNOWN })
    await account(viewer.sub, 'foundUserCode', (stub) => stub.foundUserCode(viewer.proof), { repeatable: false })
    const known = await findClient(c, viewed.client_id)
    if (!known) return devicePage(c, { error: UNKNOWN })
    const decision = form.get('decision')
    if (decision === undefined) {
      const { client } = known
      const email = (await ownSession(c))?.person.email ?? ''
      const [scopes, audiences] = [viewed.scope.split(' ').filter(Boolean), viewed.aud.split(' ')]
      return deviceConfirmPage(c, { client, email, userCode: showUserCode(code), scopes, audiences })
    }
    if (decision !== 'allow' && decision !== 'deny') throw new ApiError('invalid_request', { detail: 'decision must be allow or deny.' })
    return decide(c, viewer, code, decision === 'allow' ? { ...viewed, logout_uri: known.client.backchannel_logout_uri } : null)
  },
})

type Allowed = { client_id: string; scope: string; aud: string; logout_uri: string | null }

async function decide(c: AppContext, { sub, proof }: Viewer, userCode: string, allowed: Allowed | null): Promise<Response> {
  const { account, authorizationRequest } = c.get('objects')
  const now = Math.floor(Date.now() / 1000)
  const ask = allowed && {
    ...{ proof, client_id: allowed.client_id, scope: allowed.scope, aud: allowed.aud, logout_uri: allowed.logout_uri },
    ...{ redirect_uri: null, code_challenge: null, nonce: null, jkt: null, sub: null, anew: false, max_age: null },
    ...{ started_at: now, before: null },
    consent: 'given' as const,
    expires_in: DEVICE_SECONDS + CODE_SECONDS,
  }
  const authorized = ask && (await account(sub, 'authorize', (stub) => stub.authorize(ask)))
  if (authorized && !authorized.ok) return toSignIn(c, userCode)
  const by = { sub, sid: proof.sid }
  const code = authorized?.code ?? null
  const decided = await authorizationRequest(objectOf(userCode), 'decideDevice', (stub) => stub.decideDevice(by, code), {
    repeatable: false,
  })
  if (!decided) return devicePage(c, { error: UNKNOWN })
  log(c, 'info', 'device_decided', { sub, allowed: code !== null })
  return deviceDonePage(c, code !== null)
}
