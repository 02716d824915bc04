import { ClientFacts } from './client-facts.tsx'
import type { ClientIdentity } from './client-identity.ts'
import { ClientText } from './client-text.tsx'

/** Which client somebody signs in for. Only a name that the operator vouches for stands in a sentence of ours: a password is asked below it. */
export function AskingClient({ client }: { client: ClientIdentity | null }) {
  if (client === null) return null
  if (!client.verified) return <ClientFacts client={client} />
  return (
    <p>
      to continue to <ClientText text={client.name} />
    </p>
  )
}
