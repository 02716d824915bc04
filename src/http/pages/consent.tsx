import type { Client } from '../../clients/client.ts'
import { identityOf } from '../../ui/client-identity.ts'
import { ConsentPage } from '../../ui/consent-page.tsx'
import type { AppContext } from '../context.ts'
import { formActionFor } from './form-action.ts'
import { page } from './page.tsx'

export type Consent = {
  client: Client
  /** The one of this request, already matched. */
  redirect_uri: string
  /** Who is signed in. */
  email: string
  /** Scope-tokens, and the audiences that they are for. */
  scopes: readonly string[]
  audiences: readonly string[]
  /** The sealed interaction. */
  request: string
}

/** Asks for consent; the form posts `request` and `decision=allow|deny` to `/consent`, which requires our own origin. */
export function consentPage(c: AppContext, { client, redirect_uri, ...asked }: Consent) {
  const identity = identityOf(client, redirect_uri)
  return page(c, { formAction: formActionFor(redirect_uri) }, (nonce) => <ConsentPage client={identity} {...asked} nonce={nonce} />)
}
