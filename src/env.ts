import type { Account } from './objects/account.ts'
import type { AuthorizationRequest } from './objects/authorization-request.ts'
import type { Client } from './objects/client.ts'
import type { Identifier } from './objects/identifier.ts'
import type { KeySet } from './objects/key-set.ts'
import type { Mailbox } from './objects/mailbox.ts'
import type { ReplayMemory } from './objects/replay-memory.ts'
import type { RevocationList } from './objects/revocation-list.ts'

/** What wrangler.toml binds and what the operator sets; config.ts checks the strings. */
export interface Env {
  ACCOUNT: DurableObjectNamespace<Account>
  IDENTIFIER: DurableObjectNamespace<Identifier>
  KEY_SET: DurableObjectNamespace<KeySet>
  REVOCATION_LIST: DurableObjectNamespace<RevocationList>
  MAILBOX: DurableObjectNamespace<Mailbox>
  CLIENT: DurableObjectNamespace<Client>
  AUTHORIZATION_REQUEST: DurableObjectNamespace<AuthorizationRequest>
  REPLAY_MEMORY: DurableObjectNamespace<ReplayMemory>
  SALLYPORT_ENV?: string
  SALLYPORT_SECRET?: string
  ADMIN_TOKEN?: string
  ISSUER?: string
  SIGN_UP?: string
  AUDIENCES?: string
  SCOPES?: string
  ALLOWED_ORIGINS?: string
  SIGNING_ALG?: string
  LAB?: string
  CLI_CLIENT?: string
  CLIENTS_TOML?: string
  INITIAL_ACCESS_TOKEN?: string
}
