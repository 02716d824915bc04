import { matchRedirect } from '../../clients/redirect.ts'
import { readAuthorizationRequest, readResponseMode } from '../../oauth/authorization-request.ts'
import { type Interaction, sealInteraction } from '../../oauth/interaction.ts'
import { encodeBase64url } from '../../protocol/base64url.ts'
import { openEnvelope, packFields, sealEnvelope } from '../../tokens/envelope.ts'
import { randomId } from '../../tokens/random-id.ts'
import type { AppContext } from '../context.ts'
import { operation } from '../operation.ts'
import { authenticateClient } from './authenticate-client.ts'
import { checkRequestProof, consumeProof } from './dpop.ts'
import { readForm } from './form.ts'
import { OAuthError } from './oauth-error.ts'
import { offerOf } from './offer.ts'
import { refusalPage } from './refusal-page.ts'

const URN = 'urn:ietf:params:oauth:request_uri:'

/** Whether a request_uri looks like one of ours; every other one is an address, which nobody here fetches. */
export const isPushed = (request_uri: string | undefined): boolean => request_uri?.startsWith(URN) ?? false

/** Seconds in which a pushed request must be brought to `/oauth/authorize` (RFC 9126, 2.2: short). */
const PUSHED_SECONDS = 60

const CREDENTIALS = ['client_secret', 'client_assertion', 'client_assertion_type']

export const par = operation({
  summary: 'Pushes an authorization request (RFC 9126): checked here, brought to /oauth/authorize by its request_uri, once.',
  access: 'client',
  answers: { 201: { description: '{"request_uri", "expires_in"}' } },
  problems: [],
  async handle(c) {
    const form = await readForm(c)
    const proof = await checkRequestProof(c, { requireNonce: true })
    const client = await authenticateClient(c, form)
    if (proof !== null) await consumeProof(c, proof)
    if (form.has('request_uri')) throw new OAuthError('invalid_request', 'A pushed request holds no request_uri.')
    const named = form.get('dpop_jkt')
    if (proof && named !== undefined && named !== proof.jkt)
      throw new OAuthError('invalid_dpop_proof', 'dpop_jkt names another key than the proof.')
    const bound: [string, string][] = proof ? [['dpop_jkt', proof.jkt]] : []
    const parameters = new Map(
      [...form, ...bound, ['client_id', client.client_id] as const].filter(([name]) => !CREDENTIALS.includes(name)),
    )
    const given = parameters.get('redirect_uri')
    if (given === undefined || matchRedirect(client, given) === null)
      throw new OAuthError('invalid_request', 'redirect_uri is missing or not registered.')
    if (readResponseMode(parameters) === null) throw new OAuthError('invalid_request', 'response_mode must be query or form_post.')
    const reading = readAuthorizationRequest(parameters, client, offerOf(c.get('services').config))
    if (!reading.ok) throw new OAuthError(reading.error, reading.description)
    const id = randomId()
    const expires_at = Math.floor(Date.now() / 1000) + PUSHED_SECONDS
    const pushed = { client_id: client.client_id, parameters: Object.fromEntries(parameters), expires_at }
    await c.get('objects').authorizationRequest(id, 'push', (stub) => stub.push(pushed))
    const sealed = await sealEnvelope(c.get('services').ring, 'request_uri', packFields(id))
    return c.json({ request_uri: `${URN}${sealed}`, expires_in: PUSHED_SECONDS }, 201)
  },
})

export const refuseUsedRequest = (c: AppContext) =>
  refusalPage(c, 'The app has sent a request that is used up or has expired. Go back to it and begin again.', 'invalid_request_uri')

/**
 * A visit goes on under our own seal with what was pushed. It uses nothing up: a preview of the link or a page loaded twice must not cost
 * the person their sign-in (FAPI 2.0 Security Profile, 5.3.2.2, note 3). Anything else beside it in the address is ignored (RFC 9126, 4).
 */
export async function openPushedRequest(c: AppContext, { parameters, started_at, before }: Interaction): Promise<Response> {
  const { ring } = c.get('services')
  const { request_uri = '', client_id } = parameters
  if (client_id === undefined) return refuseUsedRequest(c)
  const fields = await openEnvelope(ring, 'request_uri', 16, request_uri.slice(URN.length))
  if (!fields) return refuseUsedRequest(c)
  const id = encodeBase64url(fields)
  const read = await c.get('objects').authorizationRequest(id, 'read', (stub) => stub.read(client_id))
  if (!read) return refuseUsedRequest(c)
  const interaction = { parameters: read, started_at, before, pushed: { id, visit: randomId() } }
  return c.redirect(`/oauth/authorize?interaction=${await sealInteraction(ring, interaction)}`, 303)
}

/**
 * Before a code is handed out: whether this is the visit that the pushed request gives one to. It may have another (a button that is
 * pressed twice, a page loaded again), no other visit any. What was not pushed may always.
 */
export async function usePushedRequest(c: AppContext, { pushed }: Interaction): Promise<boolean> {
  return pushed === null || (await c.get('objects').authorizationRequest(pushed.id, 'take', (stub) => stub.take(pushed.visit)))
}
