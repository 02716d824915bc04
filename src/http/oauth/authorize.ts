import type { Client } from '../../clients/client.ts'
import { matchRedirect } from '../../clients/redirect.ts'
import { type AuthorizationRequest, readAuthorizationRequest, readResponseMode } from '../../oauth/authorization-request.ts'
import { type AuthorizationAsk, CODE_SECONDS } from '../../oauth/authorize.ts'
import { type Interaction, openInteraction, sealInteraction } from '../../oauth/interaction.ts'
import type { OAuthErrorCode } from '../../protocol/oauth-error.ts'
import type { SessionProof } from '../../sessions/prove.ts'
import { sealAuthorizationCode } from '../../tokens/authorization-code.ts'
import { openSessionCookie } from '../../tokens/session-cookie.ts'
import type { AppContext } from '../context.ts'
import { readCookie, SESSION_COOKIE } from '../cookies.ts'
import { log } from '../log.ts'
import { operation } from '../operation.ts'
import { requireOwnPage } from '../origin.ts'
import { consentPage } from '../pages/consent.tsx'
import { ApiError } from '../problem.ts'
import { answerAt, type ReturnAddress, stateOf } from './authorization-response.ts'
import { findClient } from './find-client.ts'
import { type Parameters, readPageForm, readPageSearch, readParameters } from './form.ts'
import { readHint } from './id-token-hint.ts'
import { offerOf } from './offer.ts'
import { isPushed, openPushedRequest, refuseUsedRequest, usePushedRequest } from './pushed-request.ts'
import { refusalPage } from './refusal-page.ts'

/** An authorization request that has a real client and a real address: whatever is wrong with it now is told there. */
type Attempt = { client: Client; address: ReturnAddress; interaction: Interaction; request: AuthorizationRequest }

type Reading = { ok: true; attempt: Attempt } | { ok: false; response: Response | Promise<Response> }

const now = () => Math.floor(Date.now() / 1000)

const refuseHere = (c: AppContext, sentence: string): Reading => ({ ok: false, response: refusalPage(c, sentence) })

/**
 * Client and address first (RFC 6749, 4.1.2.1): while either is in doubt the answer is a page, and nothing is sent anywhere. `interaction`
 * is what was asked, from the address or out of the seal of our own pages.
 */
async function readAttempt(c: AppContext, interaction: Interaction, repeated: string | null): Promise<Reading> {
  const parameters: Parameters = new Map(Object.entries(interaction.parameters))
  if (repeated === 'client_id' || repeated === 'redirect_uri') return refuseHere(c, 'The app has sent a request that names itself twice.')
  const client_id = parameters.get('client_id')
  const known = client_id === undefined ? null : await findClient(c, client_id)
  if (!known) return refuseHere(c, 'The app that sent you here is not known to this service.')
  const { client } = known
  const redirect_uri = redirectOf(client, parameters)
  if (redirect_uri === null) return refuseHere(c, 'The app asked to send you back to an address that it has not registered.')
  const mode = readResponseMode(parameters)
  const address: ReturnAddress = {
    ...{ redirect_uri, mode: mode ?? 'query', state: repeated === 'state' ? null : stateOf(parameters) },
    asks: client.source === 'document',
  }
  const refuse = (error: OAuthErrorCode, error_description: string): Reading => ({
    ok: false,
    response: answerAt(c, address, { error, error_description }),
  })
  if (mode === null) return refuse('invalid_request', 'response_mode must be query or form_post.')
  if (repeated !== null) return refuse('invalid_request', 'A parameter is repeated.')
  if (client.require_pushed_authorization_requests && interaction.pushed === null) {
    return refuse('invalid_request', 'This client pushes its authorization requests (RFC 9126).')
  }
  const reading = readAuthorizationRequest(parameters, client, offerOf(c.get('services').config))
  if (!reading.ok) return refuse(reading.error, reading.description)
  return { ok: true, attempt: { client, address, interaction, request: reading.request } }
}

/** Left out, it is the one address that the client has (RFC 6749, 3.1.2.3); OpenID Connect wants it said. */
function redirectOf(client: Client, parameters: Parameters): string | null {
  const given = parameters.get('redirect_uri')
  if (given !== undefined) return matchRedirect(client, given)
  const [only, ...others] = client.redirect_uris
  const isOpenId = parameters.get('scope')?.split(' ').includes('openid') ?? false
  return only !== undefined && others.length === 0 && !isOpenId ? only : null
}

async function proofOf(c: AppContext): Promise<{ sub: string; proof: SessionProof } | null> {
  const cookie = readCookie(c, SESSION_COOKIE)
  const opened = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
  return opened && { sub: opened.sub, proof: { kind: 'cookie', sid: opened.sid, secret: opened.secret } }
}

function askOf(
  { client, address, interaction, request }: Attempt,
  proof: SessionProof,
  sub: string | null,
  given: boolean,
): AuthorizationAsk {
  const { scope, aud, code_challenge, nonce, jkt, max_age, prompt } = request
  return {
    ...{ proof, scope, aud, code_challenge, nonce, jkt, max_age, sub },
    client_id: client.client_id,
    redirect_uri: address.redirect_uri,
    logout_uri: client.backchannel_logout_uri,
    // `max_age=0` asks for the same (OpenID Connect Core, 3.1.2.1, as corrected by its errata).
    anew: prompt.login || max_age === 0,
    started_at: interaction.started_at,
    before: interaction.before,
    consent: given ? 'given' : prompt.consent ? 'ask' : 'remembered',
    expires_in: CODE_SECONDS,
  }
}

async function toSignIn(c: AppContext, interaction: Interaction): Promise<Response> {
  const sealed = await sealInteraction(c.get('services').ring, interaction)
  return c.redirect(`/sign-in?interaction=${sealed}`, 303)
}

/** Goes as far as it can: to the code, to the sign-in page, or to the consent page. */
async function proceed(c: AppContext, attempt: Attempt, allowed: boolean): Promise<Response> {
  const { client, address, interaction, request } = attempt
  const hint = request.id_token_hint === null ? null : await readHint(c, request.id_token_hint)
  if (request.id_token_hint !== null && hint === null) {
    return answerAt(c, address, { error: 'invalid_request', error_description: 'id_token_hint is not an ID token of this issuer.' })
  }
  // Nobody can have signed in since, silently.
  const caller = request.prompt.none && request.max_age === 0 ? null : await proofOf(c)
  const given = allowed && caller?.sub === interaction.sub && request.scope === interaction.scope
  const answer =
    caller &&
    (await c
      .get('objects')
      .account(caller.sub, 'authorize', (stub) => stub.authorize(askOf(attempt, caller.proof, hint?.sub ?? null, given))))
  if (caller && answer?.ok) {
    // A code that nobody is handed expires by itself.
    if (!(await usePushedRequest(c, interaction))) return refuseUsedRequest(c)
    log(c, 'info', 'authorized', { client_id: client.client_id, sub: caller.sub, sid: answer.sid })
    return answerAt(c, address, { code: await sealAuthorizationCode(c.get('services').ring, { sub: caller.sub, id: answer.code }) })
  }
  if (answer?.ok === false && answer.error === 'consent_required') {
    if (request.prompt.none)
      return answerAt(c, address, { error: 'consent_required', error_description: 'The person has not allowed this yet.' })
    const { scope, aud } = request
    const { redirect_uri } = address
    // An address that was left out is said from here on: another one that the client has by then was not shown.
    const parameters = { ...interaction.parameters, redirect_uri }
    const sealed = await sealInteraction(c.get('services').ring, { ...interaction, parameters, sub: caller?.sub ?? '', scope })
    return consentPage(c, {
      ...{ client, redirect_uri, email: answer.person.email, interaction: sealed },
      scopes: scope.split(' ').filter(Boolean),
      audiences: aud.split(' '),
    })
  }
  if (request.prompt.none) return answerAt(c, address, { error: 'login_required', error_description: 'Nobody is signed in as asked.' })
  return toSignIn(c, interaction)
}

/** What was asked, by whichever door: the query itself, a pushed request (RFC 9126), or our own seal on the way back from a page. */
async function interactionOf(
  c: AppContext,
  search: URLSearchParams,
): Promise<{ interaction: Interaction; repeated: string | null } | null> {
  const { parameters, repeated } = readParameters(search)
  const sealed = parameters.get('interaction')
  if (sealed !== undefined) {
    const interaction = await openInteraction(c.get('services').ring, sealed, now())
    return interaction && { interaction, repeated: null }
  }
  const before = (await proofOf(c))?.proof.sid ?? null
  return { interaction: { parameters: Object.fromEntries(parameters), started_at: now(), before, pushed: null }, repeated }
}

export const authorize = operation({
  summary: 'The authorization endpoint (RFC 6749, 3.1; OpenID Connect Core, 3.1.2): a browser in, a code or an error back to the client.',
  access: 'open',
  page: true,
  answers: {
    200: { description: 'A page: consent, or the answer as a form (response_mode=form_post).' },
    303: { description: 'To the client with `code` or `error`, or to the sign-in page.' },
    400: { description: 'A page: the client or its redirect_uri is not known. Nothing is sent anywhere.' },
  },
  problems: [],
  async handle(c) {
    const found = await interactionOf(c, new URL(c.req.url).searchParams)
    if (!found) return refusalPage(c, 'This page has been open for too long. Go back to the app and begin again.')
    const { interaction, repeated } = found
    if (isPushed(interaction.parameters.request_uri)) return openPushedRequest(c, interaction)
    const reading = await readAttempt(c, interaction, repeated)
    return reading.ok ? proceed(c, reading.attempt, false) : reading.response
  },
})

/** OpenID Connect Core, 3.1.2.1: POST as well. A post from a foreign page brings no cookie (SameSite=Lax); the same request as a GET does. */
export const authorizeByPost = operation({
  summary: 'The same by POST: answered with the same request as a GET.',
  access: 'open',
  page: true,
  answers: { 303: { description: 'To the same request by GET.' } },
  problems: ['invalid_request'],
  async handle(c) {
    return c.redirect(`/oauth/authorize?${await readPageSearch(c)}`, 303)
  },
})

export const decideConsent = operation({
  summary: "The consent page's answer: fields `interaction` and `decision`, `allow` or `deny`.",
  access: 'open',
  page: true,
  answers: { 303: { description: 'To the client with `code`, or with `access_denied`.' } },
  problems: ['cross_origin', 'invalid_request'],
  async handle(c) {
    requireOwnPage(c)
    const form = await readPageForm(c)
    const interaction = await openInteraction(c.get('services').ring, form.get('interaction') ?? '', now())
    if (!interaction) return refusalPage(c, 'This page has been open for too long. Go back to the app and begin again.')
    const reading = await readAttempt(c, interaction, null)
    if (!reading.ok) return reading.response
    const decision = form.get('decision')
    if (decision === 'allow') return proceed(c, reading.attempt, true)
    if (decision !== 'deny') throw new ApiError('invalid_request', { detail: 'decision must be allow or deny.' })
    const address = { ...reading.attempt.address, asks: false }
    return answerAt(c, address, { error: 'access_denied', error_description: 'The person has not allowed it.' })
  },
})
