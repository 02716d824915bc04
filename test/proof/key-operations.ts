/** Operations on the signing keys, which every account shares. */
import { hold, type World } from './ledger.ts'
import { type Operation, repeat } from './operation.ts'

export type Key = { kid: string; state: 'next' | 'active' | 'retired' | 'revoked' }

export const keysOf = async (world: World): Promise<Key[]> =>
  (await world.client.get<{ keys: Key[] }>('/admin/api/keys', world.operator)).json.keys

/** However a rotation came out: one key signs, one is published to follow it. */
export async function checkKeys(world: World): Promise<void> {
  const states = (await keysOf(world)).map(({ state }) => state)
  const count = (state: Key['state']) => states.filter((each) => each === state).length
  hold(world, count('active') === 1 && count('next') === 1, `keys: ${count('active')} active, ${count('next')} next`)
}

/** Not idempotent: each request is one rotation. */
export function rotateKeys(world: World): Operation {
  return {
    kind: 'key rotation',
    request: { method: 'POST', path: '/admin/api/keys/rotate', headers: world.operator },
    status: 201,
    acknowledged() {},
    async probe() {
      await checkKeys(world)
      return 'either'
    },
    complete: () => checkKeys(world),
  }
}

export function revokeKey(world: World, kid: string): Operation {
  const operation: Operation = {
    kind: 'key revocation',
    request: { method: 'POST', path: `/admin/api/keys/${kid}/revoke`, headers: world.operator },
    status: 204,
    acknowledged() {},
    probe: async () => ((await keysOf(world)).some((key) => key.kid === kid && key.state === 'revoked') ? 'done' : 'not done'),
    complete: () => repeat(world, operation),
  }
  return operation
}
