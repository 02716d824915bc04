import { Page } from './page.tsx'

/** What a newcomer finds at the root: that it runs, who is signed in, and where to look next. */
export function HomePage({ development, email, nonce }: { development: boolean; email: string | null; nonce: string }) {
  return (
    <Page title="Sallyport runs here" nonce={nonce}>
      <h1>Sallyport runs here</h1>
      {email === null ? (
        <p>
          <a href="/sign-in">Sign in</a> or <a href="/sign-up">make an account</a>.
        </p>
      ) : (
        <p>
          You are signed in as <bdi class="theirs">{email}</bdi>. <a href="/sign-out">Sign out</a>
        </p>
      )}
      <p>An auth service: sessions that can be revoked, tokens that verify anywhere.</p>
      <ul>
        <li>
          <a href="/api/openapi.json">/api/openapi.json</a> describes every call.
        </li>
        <li>
          <a href="/.well-known/openid-configuration">/.well-known/openid-configuration</a> is the issuer's metadata.
        </li>
        {development ? (
          <li>
            <a href="/dev/mailbox">/dev/mailbox</a> shows every mail that would have been sent.
          </li>
        ) : null}
      </ul>
    </Page>
  )
}
