import { Page } from './page.tsx'

/** What is left to say when a session has ended. */
export function SignedOutPage({ nonce }: { nonce: string }) {
  return (
    <Page title="You are signed out" nonce={nonce} card>
      <h1>You are signed out</h1>
      <p>This browser's session has ended.</p>
      <p>
        <a href="/sign-in">Sign in again</a>
      </p>
    </Page>
  )
}
