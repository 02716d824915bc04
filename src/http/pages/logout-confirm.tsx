import type { Client } from '../../clients/client.ts'
import { identityOf } from '../../ui/client-identity.ts'
import { LogoutConfirmPage } from '../../ui/logout-confirm-page.tsx'
import type { AppContext } from '../context.ts'
import { formActionFor } from './form-action.ts'
import { page } from './page.tsx'

type Asked = {
  client: Client | null
  email: string | null
  fields: Readonly<Record<string, string>>
  /** Where the person is sent afterwards, already matched. */
  post_logout_redirect_uri: string | null
}

/** Asks whether to sign out; the form posts `fields` to `/oauth/logout`, which requires our own origin. */
export function logoutConfirmPage(c: AppContext, { client, post_logout_redirect_uri: target, ...asked }: Asked) {
  const who = client && identityOf(client, target ?? '')
  const formAction = target === null ? [] : formActionFor(target)
  return page(c, { formAction }, (nonce) => <LogoutConfirmPage {...asked} client={who} goesBack={target !== null} nonce={nonce} />)
}
