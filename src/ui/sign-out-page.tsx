import { Refused } from './field.tsx'
import { Page } from './page.tsx'

/** One button that ends this browser's session. `email`: null when it could not be asked whose it is. */
export function SignOutPage({ email, refused, nonce }: { email: string | null; refused?: string | undefined; nonce: string }) {
  return (
    <Page title="Sign out" nonce={nonce} card>
      <h1>Sign out?</h1>
      <Refused message={refused} />
      {email === null ? null : (
        <p>
          You are signed in as <bdi class="theirs">{email}</bdi>.
        </p>
      )}
      <form method="post" action="/sign-out">
        <button type="submit" class="act">
          Sign out
        </button>
      </form>
      <p>
        <a href="/">Stay signed in</a>
      </p>
    </Page>
  )
}
