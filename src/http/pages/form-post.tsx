import { placeOf } from '../../ui/client-identity.ts'
import { FormPostPage } from '../../ui/form-post-page.tsx'
import type { AppContext } from '../context.ts'
import { formActionFor } from './form-action.ts'
import { page } from './page.tsx'

/** The answer of `response_mode=form_post` to a redirect that has been matched; not `atOnce`: when the person says so. The client learns from which origin it comes, and no path. */
export function formPostPage(c: AppContext, redirect_uri: string, fields: Readonly<Record<string, string>>, atOnce = true) {
  return page(c, { script: atOnce, referrer: 'strict-origin', formAction: formActionFor(redirect_uri) }, (nonce) => (
    <FormPostPage action={redirect_uri} place={placeOf(redirect_uri)} fields={fields} atOnce={atOnce} nonce={nonce} />
  ))
}
