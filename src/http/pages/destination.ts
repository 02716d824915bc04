import type { KnownClient } from '../../clients/client.ts'
import { openInteraction } from '../../oauth/interaction.ts'
import { type ClientIdentity, identityOf } from '../../ui/client-identity.ts'
import type { AppContext } from '../context.ts'
import type { Parameters } from '../oauth/form.ts'
import { ApiError } from '../problem.ts'
import { formActionFor } from './form-action.ts'

/** The client of this id; null: nobody knows it. */
export type FindClient = (c: AppContext, client_id: string) => Promise<KnownClient | null>

/** Where a person goes after they have signed in, and what the pages on the way there need to know of it. */
export type Destination = {
  /** A path of ours. */
  url: string
  /** The fields that keep it, for forms and links. */
  carried: Readonly<Record<string, string>>
  client: ClientIdentity | null
  loginHint: string | undefined
  /** Whether a client waits: then somebody who is signed in may still want to sign in, as somebody else. */
  forClient: boolean
  formAction: readonly string[]
}

/** The only pages that somebody may be sent to who does not come from a client. Each is ours, and changes nothing by being opened. */
const CONTINUE = ['/', '/account', '/device']
/** The device page with its code filled in, as a QR code leads to it. */
const DEVICE = /^\/device\?user_code=[A-Z]{4}-[A-Z]{4}$/

/**
 * Reads `interaction` (a sealed one) or else `continue` of a query or a form. A `continue` that is not on the list is ignored: our
 * sign-in must not be the open redirect of somebody's phishing mail. One that does not open is refused before a password is.
 */
export async function readDestination(c: AppContext, parameters: Parameters, findClient: FindClient): Promise<Destination> {
  const sealed = parameters.get('interaction')
  if (sealed === undefined) {
    const asked = parameters.get('continue') ?? ''
    const url = CONTINUE.includes(asked) || DEVICE.test(asked) ? asked : undefined
    const carried = url === undefined ? {} : { continue: url }
    return { url: url ?? '/', carried, client: null, loginHint: undefined, forClient: false, formAction: [] }
  }
  const interaction = await openInteraction(c.get('services').ring, sealed, Math.floor(Date.now() / 1000))
  if (!interaction)
    throw new ApiError('invalid_request', {
      detail: 'This page was open for too long, or its address is not complete. Go back to the app that you came from, and start again.',
      reason: 'the interaction does not open, or is over',
    })
  const { client_id, redirect_uri, login_hint } = interaction.parameters
  const known = client_id === undefined ? null : await findClient(c, client_id)
  const redirect = redirect_uri ?? known?.client.redirect_uris[0]
  return {
    url: `/oauth/authorize?${new URLSearchParams({ interaction: sealed })}`,
    carried: { interaction: sealed },
    client: known && identityOf(known.client, redirect ?? ''),
    loginHint: login_hint,
    forClient: true,
    formAction: redirect === undefined ? [] : formActionFor(redirect),
  }
}
