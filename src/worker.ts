import { WorkerEntrypoint } from 'cloudflare:workers'
import { app } from './app.ts'
import type { Env } from './env.ts'
import { liveErrorOf } from './http/live-check.ts'
import { openServices } from './http/services.ts'
import { type LiveAnswer, TokenError } from './sdk/index.ts'

export { Account } from './objects/account.ts'
export { AuthorizationRequest } from './objects/authorization-request.ts'
export { Client } from './objects/client.ts'
export { Identifier } from './objects/identifier.ts'
export { KeySet } from './objects/key-set.ts'
export { Mailbox } from './objects/mailbox.ts'
export { ReplayMemory } from './objects/replay-memory.ts'
export { RevocationList } from './objects/revocation-list.ts'

/** What a Worker of the same Cloudflare account verifies with, over a service binding: `createVerifier({ binding: env.SALLYPORT, ... })`. */
export class Verifier extends WorkerEntrypoint<Env> {
  /** The public keys (RFC 7517). */
  async jwks(): Promise<{ keys: readonly object[] }> {
    return (await this.#services()).binding.jwks()
  }

  /** The revocation feed since a cursor, or a snapshot (protocol/feed.ts). */
  async revocations(after: string | null): Promise<ArrayBuffer | Uint8Array> {
    return (await this.#services()).binding.revocations(after)
  }

  /** The `live` answer about an access token for any audience of this deployment. A token that is not ours is `revoked`. */
  async check(token: string): Promise<LiveAnswer> {
    const { checker } = await this.#services()
    try {
      await checker.verifyToken(token, { boundTo: 'unproven', waitUntil: (work) => this.ctx.waitUntil(work) })
      return { active: true }
    } catch (error) {
      if (!(error instanceof TokenError) || error.code === 'verifier_unavailable') throw error
      return { active: false, error: liveErrorOf(error) }
    }
  }

  async #services() {
    const opened = await openServices(this.env)
    if (!opened.ok) throw new Error(`misconfigured: ${opened.problem.variable} ${opened.problem.remedy}`)
    return opened.services
  }
}

export default { fetch: app.fetch } satisfies ExportedHandler<Env>
