import { ClientText } from './client-text.tsx'
import { HiddenFields } from './field.tsx'
import { Page } from './page.tsx'

/** Hands the answer to the client by a form (OAuth 2.0 Form Post Response Mode): sent at once by a script, by the button without one. */
export function FormPostPage(props: {
  action: string
  place: string
  fields: Readonly<Record<string, string>>
  atOnce: boolean
  nonce: string
}) {
  const { action, place, fields, atOnce, nonce } = props
  return (
    <Page title="One moment" nonce={nonce} card>
      <h1>One moment</h1>
      <p>
        You are on your way back to <ClientText text={place} />.
      </p>
      <form method="post" action={action}>
        <HiddenFields fields={fields} />
        <button type="submit" class="act">
          Continue
        </button>
      </form>
      {atOnce ? (
        <script nonce={nonce} dangerouslySetInnerHTML={{ __html: 'HTMLFormElement.prototype.submit.call(document.forms[0])' }} />
      ) : null}
    </Page>
  )
}
