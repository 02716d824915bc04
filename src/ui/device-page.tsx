import { Field } from './field.tsx'
import { Page } from './page.tsx'

/** Where the code is typed that another device shows (RFC 8628, 3.3). */
export function DevicePage({ userCode, error, nonce }: { userCode?: string | undefined; error?: string | undefined; nonce: string }) {
  return (
    <Page title="Connect a device" nonce={nonce} card>
      <h1>Connect a device</h1>
      <p>Type the code that your device shows.</p>
      <form method="post" action="/device" novalidate>
        <Field
          name="user_code"
          label="Code"
          type="text"
          autocomplete="off"
          value={userCode}
          maxlength={32}
          capitals="characters"
          look="code"
          autofocus
          error={error}
        />
        <button type="submit" class="act">
          Continue
        </button>
      </form>
    </Page>
  )
}
