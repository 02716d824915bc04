import { type IdTokenHint, readIdTokenHint } from '../../oauth/id-token-hint.ts'
import type { AppContext } from '../context.ts'

/** An `id_token_hint`, read with the keys as the key set has them now. Null: not an ID token of ours. */
export async function readHint(c: AppContext, token: string): Promise<IdTokenHint | null> {
  const { keys } = await c.get('objects').keySet('jwks', (stub) => stub.jwks())
  return readIdTokenHint(token, keys, c.get('services').config.issuer)
}
