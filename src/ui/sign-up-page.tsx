import { AskingClient } from './asking-client.tsx'
import { type Entry, linkTo } from './entry.ts'
import { Field, HiddenFields, Refused } from './field.tsx'
import { Page } from './page.tsx'

/** One form that makes an account. `minLength`: of the password, in characters. */
export function SignUpPage({ carried, client, typed, errors, nonce, minLength }: Entry & { minLength: number }) {
  return (
    <Page title="Sign up" nonce={nonce} card>
      <h1>Make an account</h1>
      <AskingClient client={client} />
      <Refused message={errors['']} />
      <form method="post" action="/sign-up" novalidate>
        <HiddenFields fields={carried} />
        <Field
          name="email"
          label="E-mail"
          type="email"
          autocomplete="username"
          value={typed.email}
          maxlength={1016}
          autofocus
          error={errors.email}
        />
        <Field
          name="name"
          label="Name"
          type="text"
          autocomplete="name"
          value={typed.name}
          maxlength={200}
          optional
          capitals="words"
          error={errors.name}
        />
        <Field
          name="password"
          label="Password"
          type="password"
          autocomplete="new-password"
          maxlength={1024}
          hint={`At least ${minLength} characters; a few words do well.`}
          error={errors.password}
        />
        <button type="submit" class="act">
          Sign up
        </button>
      </form>
      <p>
        Have an account? <a href={linkTo('/sign-in', carried)}>Sign in</a>
      </p>
    </Page>
  )
}
