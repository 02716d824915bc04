/** Operations on the signing keys, which every account shares. */
import { hold, type World } from './ledger.ts'
import { type Operation, repeat } from './operation.ts'

export type Key = { kid: string; alg: string; state: 'next' | 'active' | 'retired' | 'revoked' }

export const keysOf = async (world: World): Promise<Key[]> =>
  (await world.client.get<{ keys: Key[] }>('/admin/api/keys', world.operator)).json.keys

/** However a rotation came out: of each algorithm one key signs, one is published to follow it. */
export async function checkKeys(world: World): Promise<void> {
  const keys = await keysOf(world)
  hold(world, keys.length > 0, 'no keys')
  for (const [alg, own] of Map.groupBy(keys, (key) => key.alg)) {
    const count = (state: Key['state']) => own.filter((key) => key.state === state).length
    hold(world, count('active') === 1 && count('next') === 1, `${alg} keys: ${count('active')} active, ${count('next')} next`)
  }
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
