import * as v from 'valibot'
import { DEFAULT_MIN_LENGTH } from '../../login/password-policy.ts'
import { SignUpPage } from '../../ui/sign-up-page.tsx'
import { writeStartedCookies } from '../answer.ts'
import { checkShape } from '../body.ts'
import type { AppContext } from '../context.ts'
import { type Parameters, readPageForm, readParameters } from '../oauth/form.ts'
import { operation } from '../operation.ts'
import { refuseForeignOrigin } from '../origin.ts'
import { ApiError } from '../problem.ts'
import { SignUpBody } from '../schemas.ts'
import { signUpWithPassword } from '../sign-up.ts'
import { type Destination, type FindClient, readDestination } from './destination.ts'
import { page } from './page.tsx'
import { isOfTheForm, logRefused, messagesOf, optionsOf, typedIn } from './refusal.ts'

const NewAccount = v.pick(SignUpBody, ['email', 'password', 'name'])

function shown(c: AppContext, { carried, client, loginHint, formAction }: Destination, refused?: { error: ApiError; form: Parameters }) {
  const typed = refused ? { email: refused.form.get('email'), name: refused.form.get('name') } : { email: loginHint }
  const errors = refused ? messagesOf(refused.error) : {}
  const known = { carried, client, typed, errors, minLength: DEFAULT_MIN_LENGTH }
  return page(c, { ...(refused ? optionsOf(refused.error) : {}), formAction }, (nonce) => <SignUpPage {...known} nonce={nonce} />)
}

/** `GET` and `POST /sign-up`, for people; `findClient` names the client that they came from. */
export const signUpPages = (findClient: FindClient) => ({
  form: operation({
    summary: 'The page to make an account at.',
    access: 'open',
    page: true,
    query: { interaction: 'What a client waits for, sealed.', continue: 'Where to go on: `/`, `/account` or `/device`.' },
    answers: { 200: { description: 'HTML.' } },
    problems: [],
    async handle(c) {
      return shown(c, await readDestination(c, readParameters(new URL(c.req.url).searchParams).parameters, findClient))
    },
  }),

  submit: operation({
    summary: 'Make an account and sign in, by a form; the same path and the same answers as POST /api/sign-up, as pages.',
    access: 'open',
    page: true,
    form: NewAccount,
    answers: { 303: { description: 'Signed in by the session cookie.' } },
    problems: [
      'identifier_taken',
      'cross_origin',
      'password_too_short',
      'password_too_long',
      'password_common',
      'password_contains_identifier',
      'password_malformed',
      'overloaded',
    ],
    async handle(c) {
      refuseForeignOrigin(c)
      const form = await readPageForm(c)
      const destination = await readDestination(c, form, findClient)
      try {
        const typed = checkShape(NewAccount, typedIn(form, ['email', 'password', 'name']))
        await writeStartedCookies(c, await signUpWithPassword(c, { ...typed, carry: { use: 'cookie' } }))
      } catch (error) {
        if (!(error instanceof ApiError) || !isOfTheForm(error)) throw error
        logRefused(c, error)
        return shown(c, destination, { error, form })
      }
      return c.redirect(destination.url, 303)
    },
  }),
})
