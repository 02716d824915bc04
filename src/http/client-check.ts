import { isRegisteredId } from '../clients/client.ts'
import type { ConfiguredClients } from '../clients/configured-clients.ts'
import { type AccessTokenClaims, FIRST_PARTY_CLIENT_ID } from '../protocol/claims.ts'
import type { LiveAnswer } from '../sdk/index.ts'
import type { Objects } from './objects.ts'

const ACTIVE: LiveAnswer = { active: true }
const REVOKED: LiveAnswer = { active: false, error: 'revoked' }

/** The address of a metadata document; no id in the configuration looks so. */
const isDocumentId = (client_id: string): boolean => /^https?:\/\//.test(client_id)

/**
 * The client's half of the `live` answer about a verified token. Asked of an object only where that knows more than we do: of a client
 * that is registered, or of a machine's own token. All else is answered at once.
 */
export function clientCheckOf({ client }: Pick<Objects, 'client'>, configured: ConfiguredClients) {
  return ({ sub, client_id, jti }: AccessTokenClaims): LiveAnswer | Promise<LiveAnswer> => {
    if (client_id === FIRST_PARTY_CLIENT_ID) return ACTIVE
    const registered = isRegisteredId(client_id)
    // One that the operator has taken out of the configuration is nobody's.
    if (!registered && !configured.has(client_id) && !isDocumentId(client_id)) return REVOKED
    return registered || sub === client_id ? client(client_id, 'check', (stub) => stub.check({ jti, registered })) : ACTIVE
  }
}

export type ClientCheck = ReturnType<typeof clientCheckOf>
