import { env } from 'cloudflare:workers'
import { encodePhc, hashPassword, newParameters } from '../../src/login/password-hash.ts'
import type { Trier } from '../../src/login/sign-in.ts'
import { FIRST_PARTY_CLIENT_ID } from '../../src/protocol/claims.ts'
import type { Presented } from '../../src/sessions/refresh.ts'
import type { Carry, Generation, StartedSession } from '../../src/sessions/start.ts'
import { randomId } from '../../src/tokens/random-id.ts'

/** A device that signed in a moment ago, and nobody in particular. */
export const known = (id: string): Trier => ({ device: { id, issued_at: 0xffff_ffff }, decoy: null })
export const LAPTOP = known('laptop')
export const STRANGER: Trier = { device: null, decoy: null }

export const PASSWORD = 'violet-otter-41-lantern'
export const TOKENS = {
  use: 'tokens',
  aud: 'http://localhost:8787',
  scope: 'account',
  secret_id: '00000001',
  network: 'home',
} as const satisfies Carry

/** A cheap hash: these tests are not about its cost. */
export function cheapPhc(password = PASSWORD): string {
  const parameters = { ...newParameters(), m: 32, t: 1 }
  return encodePhc(parameters, hashPassword(password, parameters))
}

export const accountOf = (sub: string) => env.ACCOUNT.getByName(sub)

/** A new account, its stub and its first session. */
export async function newAccount<C extends Carry>(carry: C, phc = cheapPhc()) {
  const sub = randomId()
  const account = accountOf(sub)
  const created = await account.create({ sub, email: 'ann@example.com', name: null, phc, user_agent: 'test', carry })
  if (!created.ok) throw new Error('a new account is not taken')
  const started = created.started as unknown as Extract<StartedSession, { use: C['use'] }>
  return { sub, account, started, device: created.device }
}

/** Another session of the same account, by the two steps of a sign-in. */
export async function signInAgain<C extends Carry>(sub: string, carry: C, trier: Trier = LAPTOP) {
  const account = accountOf(sub)
  const begun = await account.beginSignIn(trier)
  if (!begun.ok) throw new Error(begun.error)
  const signedIn = await account.signIn({ trier, digest: hashPassword(PASSWORD, begun.parameters), user_agent: 'test', carry })
  if (!signedIn.ok) throw new Error(signedIn.error)
  return signedIn.started as unknown as Extract<StartedSession, { use: C['use'] }>
}

export const presenting = (refresh: Generation, over: Partial<Presented> = {}): Presented => ({
  grant_id: refresh.grant_id,
  generation: refresh.generation,
  secret: refresh.secret,
  client_id: FIRST_PARTY_CLIENT_ID,
  secret_id: '00000001',
  network: 'home',
  allowed: { scopes: TOKENS.scope.split(' '), audiences: [TOKENS.aud] },
  ...over,
})
