import type { ClientIdentity } from './client-identity.ts'
import { ClientText } from './client-text.tsx'

/** Whom a person is dealing with: the name in a frame of its own, where it cannot finish a sentence of ours; a warning when it only says so. */
export function ClientFacts({ client, place = true }: { client: ClientIdentity; place?: boolean }) {
  return (
    <>
      <p class="app">
        <span class="faint">{client.verified ? 'App' : 'An app that calls itself'}</span>
        <ClientText text={client.name} />
      </p>
      {client.verified ? null : (
        <p class="warning">
          <strong>Not verified by the operator.</strong>{' '}
          {client.host === null
            ? 'This app registered itself, and chose its name. Go on only if you have just come from it.'
            : 'This app describes itself at the address below. Go on only if you know that address.'}
        </p>
      )}
      <dl class="facts">
        {client.host === null ? null : (
          <>
            <dt>App's address</dt>
            <dd>
              <ClientText text={client.host} longest={253} />
            </dd>
          </>
        )}
        {place ? (
          <>
            <dt>You go back to</dt>
            <dd>
              <ClientText text={client.place} longest={253} />
            </dd>
          </>
        ) : null}
      </dl>
    </>
  )
}
