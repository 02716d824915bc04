import { DurableObject } from 'cloudflare:workers'
import { mailStore, type StoredMail } from '../accounts/mail-store.ts'
import type { Env } from '../env.ts'
import type { Mail } from '../revocation/outbox-store.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/mailbox/0001-init.sql'

/** Development only: every mail that would have been sent, for `/dev/mailbox`. */
export class Mailbox extends DurableObject<Env> {
  readonly #mails

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#mails = mailStore(ctx.storage.sql)
  }

  deliver(mails: readonly Mail[]): void {
    const now = Math.floor(Date.now() / 1000)
    this.ctx.storage.transactionSync(() => {
      for (const mail of mails) this.#mails.add(mail, now)
    })
  }

  list(): StoredMail[] {
    return this.#mails.newestFirst()
  }
}
