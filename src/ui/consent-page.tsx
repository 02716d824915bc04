import { ClientFacts } from './client-facts.tsx'
import type { ClientIdentity } from './client-identity.ts'
import { ClientText } from './client-text.tsx'
import { linkTo } from './entry.ts'
import { Page } from './page.tsx'
import { scopeWords } from './scope-words.ts'

export type ConsentPageProps = {
  client: ClientIdentity
  /** Who is signed in. */
  email: string
  /** Scope-tokens. */
  scopes: readonly string[]
  /** The audiences that the access is for. */
  audiences: readonly string[]
  /** The sealed interaction, which the answer carries back. */
  interaction: string
  nonce: string
}

/** The longest scope-token and audience that is shown whole. */
const LONGEST = 200

/** Asks whether a client may act for this person: who it is, what it may do, where, and for how long. */
export function ConsentPage({ client, email, scopes, audiences, interaction, nonce }: ConsentPageProps) {
  return (
    <Page title="Allow access" nonce={nonce} card>
      <h1>Allow access to your account?</h1>
      <ClientFacts client={client} />
      <p>
        You are signed in as <bdi class="theirs">{email}</bdi>. <a href={linkTo('/sign-in', { interaction })}>Use another account</a>
      </p>
      {scopes.length === 0 ? null : (
        <>
          <h2>It will be able to</h2>
          <ul>
            {scopes.map((scope) => (
              <li>
                {scopeWords(scope) ?? (
                  <>
                    Use <ClientText text={scope} longest={LONGEST} />
                  </>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      <dl class="facts">
        {audiences.length === 0 ? null : <dt>At</dt>}
        {audiences.map((audience) => (
          <dd>
            <ClientText text={audience} longest={LONGEST} />
          </dd>
        ))}
        <dt>For how long</dt>
        <dd>{scopes.includes('offline_access') ? 'Up to 90 days, also after you sign out' : 'Until you sign out'}</dd>
      </dl>
      <form method="post" action="/consent">
        <input type="hidden" name="interaction" value={interaction} />
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
