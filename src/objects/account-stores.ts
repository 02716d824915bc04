import { accountStore } from '../accounts/account-store.ts'
import { attemptStore } from '../login/attempt-store.ts'
import { passwordStore } from '../login/password-store.ts'
import { codeStore } from '../oauth/code-store.ts'
import { consentStore } from '../oauth/consent-store.ts'
import { type OutboxStore, outboxStore } from '../revocation/outbox-store.ts'
import { familyStore } from '../sessions/family-store.ts'
import { sessionStore } from '../sessions/session-store.ts'
import { revokedTokenStore } from '../tokens/revoked-token-store.ts'

/** The stores of one account, over one database. `onLetter` is told of each letter that now waits in the outbox. */
export function openStores(sql: SqlStorage, mailer: boolean, onLetter: () => void) {
  const outbox = outboxStore(sql)
  const add: OutboxStore['add'] = (letter, now) => {
    // Without a mailer nobody would ever take a mail out of the outbox.
    if (letter.target === 'mail' && !mailer) return
    outbox.add(letter, now)
    onLetter()
  }
  return {
    accounts: accountStore(sql),
    passwords: passwordStore(sql),
    attempts: attemptStore(sql),
    sessions: sessionStore(sql),
    families: familyStore(sql),
    codes: codeStore(sql),
    consents: consentStore(sql),
    revokedTokens: revokedTokenStore(sql),
    outbox: { ...outbox, add },
  }
}

export type AccountStores = ReturnType<typeof openStores>
