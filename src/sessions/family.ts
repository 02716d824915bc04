import { randomId } from '../tokens/random-id.ts'
import type { FamilyRow } from './session.ts'

/** A family at its first generation, with a seed of its own. */
export function newFamily(
  made: Pick<FamilyRow, 'sid' | 'client_id' | 'scope' | 'aud' | 'secret_id' | 'network' | 'expires_at'> &
    Partial<Pick<FamilyRow, 'auth_time' | 'acr' | 'amr' | 'jkt' | 'offline' | 'logout_uri'>>,
  now: number,
): FamilyRow {
  return {
    grant_id: randomId(),
    seed: crypto.getRandomValues(new Uint8Array(32)).buffer,
    generation: 1,
    rotated_at: now,
    rotations: [],
    recovered: null,
    echoed: null,
    echoes: 0,
    created_at: now,
    ended_at: null,
    auth_time: null,
    acr: null,
    amr: null,
    jkt: null,
    offline: false,
    logout_uri: null,
    ...made,
  }
}
