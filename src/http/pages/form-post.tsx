import { placeOf } from '../../ui/client-identity.ts'
import { FormPostPage } from '../../ui/form-post-page.tsx'
import type { AppContext } from '../context.ts'
import { formActionFor } from './form-action.ts'
import { page } from './page.tsx'

/** The answer of `response_mode=form_post` to a redirect that has been matched. The client learns from which origin it comes, and no path. */
export function formPostPage(c: AppContext, redirect_uri: string, fields: Readonly<Record<string, string>>) {
  return page(c, { script: true, referrer: 'strict-origin', formAction: formActionFor(redirect_uri) }, (nonce) => (
    <FormPostPage action={redirect_uri} place={placeOf(redirect_uri)} fields={fields} nonce={nonce} />
  ))
}
