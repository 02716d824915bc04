import { Page } from './page.tsx'

/** What a newcomer finds at the root: that it runs, and where to look next. */
export function HomePage({ development, nonce }: { development: boolean; nonce: string }) {
  return (
    <Page title="Sallyport runs here" nonce={nonce}>
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
