import * as v from 'valibot'
import { SignInPage } from '../../ui/sign-in-page.tsx'
import { writeStartedCookies } from '../answer.ts'
import { checkShape } from '../body.ts'
import type { AppContext } from '../context.ts'
import { type Parameters, readPageForm, readParameters } from '../oauth/form.ts'
import { operation } from '../operation.ts'
import { refuseForeignOrigin } from '../origin.ts'
import { ApiError } from '../problem.ts'
import { SignInBody } from '../schemas.ts'
import { signInWithPassword } from '../sign-in.ts'
import { type Destination, type FindClient, readDestination } from './destination.ts'
import { ownSession } from './own-session.ts'
import { page } from './page.tsx'
import { isOfTheForm, logRefused, messagesOf, optionsOf, typedIn } from './refusal.ts'

const Credentials = v.pick(SignInBody, ['email', 'password'])

/** The longest hint that is put into the field. */
const HINT_LENGTH = 320

function shown(c: AppContext, { carried, client, loginHint, formAction }: Destination, refused?: { error: ApiError; form: Parameters }) {
  const email = refused ? refused.form.get('email') : loginHint?.slice(0, HINT_LENGTH)
  const errors = refused ? messagesOf(refused.error) : {}
  return page(c, { ...(refused ? optionsOf(refused.error) : {}), formAction }, (nonce) => (
    <SignInPage carried={carried} client={client} typed={{ email }} errors={errors} nonce={nonce} />
  ))
}

/** `GET` and `POST /sign-in`, for people; `findClient` names the client that they came from. */
export const signInPages = (findClient: FindClient) => ({
  form: operation({
    summary: 'The page to sign in at; one who is signed in is sent on, unless a client waits.',
    access: 'open',
    page: true,
    query: { interaction: 'What a client waits for, sealed.', continue: 'Where to go on: `/`, `/account` or `/device`.' },
    answers: { 200: { description: 'HTML.' }, 303: { description: 'Signed in already.' } },
    problems: [],
    async handle(c) {
      const destination = await readDestination(c, readParameters(new URL(c.req.url).searchParams).parameters, findClient)
      if (!destination.forClient && (await ownSession(c))) return c.redirect(destination.url, 303)
      return shown(c, destination)
    },
  }),

  submit: operation({
    summary: 'Sign in with a password, by a form; the same path and the same answers as POST /api/sign-in, as pages.',
    access: 'open',
    page: true,
    form: Credentials,
    answers: { 303: { description: 'Signed in by the session cookie.' } },
    problems: ['invalid_credentials', 'too_many_attempts', 'cross_origin', 'overloaded'],
    async handle(c) {
      refuseForeignOrigin(c)
      const form = await readPageForm(c)
      const destination = await readDestination(c, form, findClient)
      try {
        const { email, password } = checkShape(Credentials, typedIn(form, ['email', 'password']))
        await writeStartedCookies(c, await signInWithPassword(c, { email, password, carry: { use: 'cookie' } }))
      } catch (error) {
        if (!(error instanceof ApiError) || !isOfTheForm(error)) throw error
        logRefused(c, error)
        return shown(c, destination, { error, form })
      }
      return c.redirect(destination.url, 303)
    },
  }),
})
