import { ClientFacts } from './client-facts.tsx'
import type { ClientIdentity } from './client-identity.ts'
import { ClientText } from './client-text.tsx'
import { HiddenFields } from './field.tsx'
import { Page } from './page.tsx'
import { scopeWords } from './scope-words.ts'

export type DeviceConfirmPageProps = {
  client: Omit<ClientIdentity, 'place'>
  email: string
  /** As the device shows it. */
  userCode: string
  scopes: readonly string[]
  /** The audiences that the access is for. */
  audiences: readonly string[]
  /** What the form sends back beside `user_code`. */
  fields?: Readonly<Record<string, string>>
  nonce: string
}

/** Asks whether the device with this code is the person's own: a stranger may have sent them the code (RFC 8628, 5.4). */
export function DeviceConfirmPage({ client, email, userCode, scopes, audiences, fields = {}, nonce }: DeviceConfirmPageProps) {
  return (
    <Page title="Connect a device" nonce={nonce} card>
      <h1>Allow an app on your device?</h1>
      <p>Is this the code on your device?</p>
      <p class="shown">
        <bdi>{userCode}</bdi>
      </p>
      <p class="warning">If somebody sent you this code, deny: they would get into your account.</p>
      <ClientFacts client={{ ...client, place: '' }} place={false} />
      <p>
        You are signed in as <bdi class="theirs">{email}</bdi>.
      </p>
      {scopes.length === 0 ? null : (
        <>
          <h2>It will be able to</h2>
          <ul>
            {scopes.map((scope) => (
              <li>{scopeWords(scope) ?? <ClientText text={scope} longest={200} />}</li>
            ))}
          </ul>
        </>
      )}
      <dl class="facts">
        {audiences.length === 0 ? null : <dt>At</dt>}
        {audiences.map((audience) => (
          <dd>
            <ClientText text={audience} longest={200} />
          </dd>
        ))}
      </dl>
      <form method="post" action="/device">
        <HiddenFields fields={{ ...fields, user_code: userCode }} />
        <button type="submit" class="act" name="decision" value="allow">
          Allow
        </button>
        <button type="submit" name="decision" value="deny">
          Deny
        </button>
      </form>
    </Page>
  )
}
