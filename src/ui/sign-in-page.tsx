import { AskingClient } from './asking-client.tsx'
import { type Entry, linkTo } from './entry.ts'
import { Field, HiddenFields, Refused } from './field.tsx'
import { Page } from './page.tsx'

/** One form: the address and the password. */
export function SignInPage({ carried, client, typed, errors, nonce }: Entry) {
  const { email } = typed
  return (
    <Page title="Sign in" nonce={nonce} card>
      <h1>Sign in</h1>
      <AskingClient client={client} />
      <Refused message={errors['']} />
      {/* novalidate: the server's messages are the only ones, and they stand next to the fields. */}
      <form method="post" action="/sign-in" novalidate>
        <HiddenFields fields={carried} />
        <Field
          name="email"
          label="E-mail"
          type="email"
          autocomplete="username"
          value={email}
          maxlength={1016}
          autofocus={!email}
          error={errors.email}
        />
        <Field
          name="password"
          label="Password"
          type="password"
          autocomplete="current-password"
          maxlength={1024}
          autofocus={Boolean(email)}
          error={errors.password}
        />
        <button type="submit" class="act">
          Sign in
        </button>
      </form>
      <p>
        No account yet? <a href={linkTo('/sign-up', carried)}>Sign up</a>
      </p>
    </Page>
  )
}
