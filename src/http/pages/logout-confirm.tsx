import { LogoutConfirmPage } from '../../ui/logout-confirm-page.tsx'
import type { AppContext } from '../context.ts'
import { formActionFor } from './form-action.ts'
import { page } from './page.tsx'

type Asked = {
  clientName: string | null
  email: string | null
  fields: Readonly<Record<string, string>>
  /** Where the person is sent afterwards, already matched. */
  post_logout_redirect_uri: string | null
}

/** Asks whether to sign out; the form posts `fields` to `/oauth/logout`, which requires our own origin. */
export function logoutConfirmPage(c: AppContext, { post_logout_redirect_uri, ...asked }: Asked) {
  const formAction = post_logout_redirect_uri === null ? [] : formActionFor(post_logout_redirect_uri)
  return page(c, { formAction }, (nonce) => <LogoutConfirmPage {...asked} nonce={nonce} />)
}
