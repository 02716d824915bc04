import type { Env } from '../env.ts'
import type { Account } from '../objects/account.ts'
import type { AuthorizationRequest } from '../objects/authorization-request.ts'
import { call } from '../objects/call.ts'
import type { Client } from '../objects/client.ts'
import { openList, openMailbox } from '../objects/delivery.ts'
import type { Identifier } from '../objects/identifier.ts'
import type { KeySet } from '../objects/key-set.ts'
import type { Mailbox } from '../objects/mailbox.ts'
import type { ReplayMemory } from '../objects/replay-memory.ts'
import type { RevocationList } from '../objects/revocation-list.ts'
import { shardOf } from '../protocol/shard.ts'

/** An object's methods as a caller sees them: plain values in, a promise of a plain value out. */
export type Methods<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never
}

type Options = { repeatable?: boolean }

/**
 * A stub, typed as its methods. Workers' own stub types wrap each arm of a union in a type of its own, which no longer narrows; all our
 * methods answer plain data, for which the two are the same.
 */
function methods<T extends Rpc.DurableObjectBranded>(stub: DurableObjectStub<T>): Methods<T> {
  return stub as unknown as Methods<T>
}

/** The objects of this deployment, each reached through the one call wrapper: a method's name for logs and tests, then the call. */
export function objects(env: Env) {
  return {
    account: <A>(sub: string, method: string, use: (account: Methods<Account>) => Promise<A>, options?: Options): Promise<A> =>
      call(`Account.${method}`, () => methods(env.ACCOUNT.getByName(shardOf(sub))), use, options),
    identifier: <A>(shard: string, method: string, use: (identifier: Methods<Identifier>) => Promise<A>): Promise<A> =>
      call(`Identifier.${method}`, () => methods(env.IDENTIFIER.getByName(shard)), use),
    client: <A>(clientId: string, method: string, use: (client: Methods<Client>) => Promise<A>, options?: Options): Promise<A> =>
      call(`Client.${method}`, () => methods(env.CLIENT.getByName(clientId)), use, options),
    /** `name`: what one attempt is found by, a random id or a user code. */
    authorizationRequest: <A>(
      name: string,
      method: string,
      use: (it: Methods<AuthorizationRequest>) => Promise<A>,
      options?: Options,
    ): Promise<A> => call(`AuthorizationRequest.${method}`, () => methods(env.AUTHORIZATION_REQUEST.getByName(name)), use, options),
    /** `name`: whose proofs are remembered, such as `dpop:` and a thumbprint. */
    replayMemory: <A>(name: string, method: string, use: (memory: Methods<ReplayMemory>) => Promise<A>, options?: Options): Promise<A> =>
      call(`ReplayMemory.${method}`, () => methods(env.REPLAY_MEMORY.getByName(name)), use, options),
    keySet: <A>(method: string, use: (keySet: Methods<KeySet>) => Promise<A>, options?: Options): Promise<A> =>
      call(`KeySet.${method}`, () => methods(env.KEY_SET.getByName('keys')), use, options),
    list: <A>(method: string, use: (list: Methods<RevocationList>) => Promise<A>): Promise<A> =>
      call(`RevocationList.${method}`, () => methods(openList(env)), use),
    mailbox: <A>(method: string, use: (mailbox: Methods<Mailbox>) => Promise<A>): Promise<A> =>
      call(`Mailbox.${method}`, () => methods(openMailbox(env)), use),
  }
}

export type Objects = ReturnType<typeof objects>
