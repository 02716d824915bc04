import { DurableObject } from 'cloudflare:workers'
import { identifierStore } from '../accounts/identifier-store.ts'
import type { Env } from '../env.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/identifier/0001-init.sql'

/** One of 256 shards of identifier -> account id: the one arbiter of who has an address. */
export class Identifier extends DurableObject<Env> {
  readonly #identifiers

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#identifiers = identifierStore(ctx.storage.sql)
  }

  /**
   * Gives the identifier to `sub`, if nobody has it; answers who has it. Whoever comes second gets the first one's account id, and goes on
   * with it: if the first one was cut short before the account was made, the second makes it.
   */
  claim(digest: ArrayBuffer, sub: string): { sub: string; fresh: boolean } {
    return this.ctx.storage.transactionSync(() => {
      const owner = this.#identifiers.find(digest)
      if (owner !== null) return { sub: owner, fresh: false }
      this.#identifiers.insert(digest, sub)
      return { sub, fresh: true }
    })
  }

  resolve(digest: ArrayBuffer): string | null {
    return this.#identifiers.find(digest)
  }
}
