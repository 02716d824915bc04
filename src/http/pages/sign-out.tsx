import { SignOutPage } from '../../ui/sign-out-page.tsx'
import { SignedOutPage } from '../../ui/signed-out-page.tsx'
import type { AppContext } from '../context.ts'
import { operation } from '../operation.ts'
import { requireOwnOrigin } from '../origin.ts'
import { ApiError } from '../problem.ts'
import { signOutByCookie } from '../sessions.ts'
import { ownSession } from './own-session.ts'
import { page } from './page.tsx'
import { logRefused, optionsOf } from './refusal.ts'

/** What is shown to one who has no session, or no longer. */
export const signedOutPage = (c: AppContext) => page(c, {}, (nonce) => <SignedOutPage nonce={nonce} />)

export const signOutForm = operation({
  summary: 'The page to sign out at. Being opened ends nothing.',
  access: 'open',
  page: true,
  answers: { 200: { description: 'HTML.' } },
  problems: [],
  async handle(c) {
    const own = await ownSession(c)
    if (!own) return signedOutPage(c)
    return page(c, {}, (nonce) => <SignOutPage email={own.person.email} nonce={nonce} />)
  },
})

export const signOutSubmit = operation({
  summary: 'End the session of the cookie, by a form. On 503 it has ended all the same; repeat.',
  access: 'open',
  page: true,
  answers: { 200: { description: 'HTML: signed out, or nobody was signed in.' } },
  problems: ['cross_origin', 'unavailable'],
  async handle(c) {
    requireOwnOrigin(c)
    try {
      await signOutByCookie(c)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      logRefused(c, error)
      if (error.code === 'unavailable') {
        const refused = 'Your session has ended, but not every app knows yet. Please sign out once more.'
        return page(c, optionsOf(error), (nonce) => <SignOutPage email={null} refused={refused} nonce={nonce} />)
      }
      if (error.code !== 'no_session') throw error
    }
    return signedOutPage(c)
  },
})
