import { ClientText } from './client-text.tsx'
import { Page } from './page.tsx'

/** An app that nobody here knows has asked for what cannot be done, and wants its person back: only if they want to go. */
export function LeavePage({ url, place, nonce }: { url: string; place: string; nonce: string }) {
  return (
    <Page title="This did not work" nonce={nonce} card>
      <h1>This did not work</h1>
      <p>
        The app asked for something that cannot be done here, and would take you to <ClientText text={place} />. Go on only if you have just
        come from it.
      </p>
      <p>
        <a href={url} rel="noreferrer">
          Go on to the app
        </a>
      </p>
    </Page>
  )
}
