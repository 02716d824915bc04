import { ClientFacts } from './client-facts.tsx'
import type { ClientIdentity } from './client-identity.ts'
import { ClientText } from './client-text.tsx'
import { HiddenFields } from './field.tsx'
import { Page } from './page.tsx'

type LogoutConfirmProps = {
  /** Who asks; null: nobody that is known. */
  client: ClientIdentity | null
  /** Whether the person is sent to `client.place` afterwards. */
  goesBack: boolean
  email: string | null
  /** What the form sends back. */
  fields: Readonly<Record<string, string>>
  nonce: string
}

/** Asks whether an app may sign this person out here as well (OpenID Connect RP-Initiated Logout, 2). */
export function LogoutConfirmPage({ client, goesBack, email, fields, nonce }: LogoutConfirmProps) {
  return (
    <Page title="Sign out" nonce={nonce} card>
      <h1>Sign out here too?</h1>
      <WhoAsks client={client} goesBack={goesBack} />
      {email === null ? null : (
        <p>
          You are signed in as <bdi class="theirs">{email}</bdi>. Apps that you use with this session lose access.
        </p>
      )}
      <form method="post" action="/oauth/logout">
        <HiddenFields fields={fields} />
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

/** Only a name that the operator vouches for stands in a sentence of ours. */
function WhoAsks({ client, goesBack }: Pick<LogoutConfirmProps, 'client' | 'goesBack'>) {
  if (client === null) return null
  if (!client.verified) return <ClientFacts client={client} place={goesBack} />
  return (
    <p>
      <ClientText text={client.name} /> asks to sign you out.
    </p>
  )
}
