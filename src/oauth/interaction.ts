import type { SecretRing } from '../keys/secret-ring.ts'
import { openEnvelope, sealEnvelope } from '../tokens/envelope.ts'

/**
 * An authorization request that waits while somebody signs in or consents: the parameters as they were asked, and when. It is carried by
 * the pages themselves, sealed, so that nothing is stored for a stranger; it opens nothing, and whoever holds it could as well have asked
 * again. `started_at` in integer seconds, `before`: the session (`sid`) that the browser had then, or null: `prompt=login` wants a sign-in
 * that is younger than the one and other than the other, for a second is long enough to sign in and to ask.
 * `pushed`: the pushed request that it came from (RFC 9126), which only one visit can have a code for; null: the address itself.
 * `sub`, `scope`: whom the consent page was shown to, and what it asked for; what another account says on it is not theirs, and what the
 * client has registered meanwhile was not allowed.
 */
export type Interaction = {
  parameters: Readonly<Record<string, string>>
  started_at: number
  before: string | null
  pushed: { id: string; visit: string } | null
  sub?: string
  scope?: string
}

/** Seconds that a page may be left open. */
export const INTERACTION_SECONDS = 3600

const text = new TextEncoder()

export async function sealInteraction(ring: SecretRing, interaction: Interaction): Promise<string> {
  const sealed = await sealEnvelope(ring, 'interaction', text.encode(JSON.stringify(interaction)))
  if (!sealed) throw new TypeError('the newest secret is always in the ring')
  return sealed
}

/** Null: not ours, or older than an hour. */
export async function openInteraction(ring: SecretRing, value: string, now: number): Promise<Interaction | null> {
  const fields = await openEnvelope(ring, 'interaction', null, value)
  if (!fields) return null
  const interaction = JSON.parse(new TextDecoder().decode(fields)) as Interaction
  if (now > interaction.started_at + INTERACTION_SECONDS) return null
  // An older version sealed it, which did not say what session there was: only a sign-in of a later second is surely another one.
  return interaction.before === undefined ? { ...interaction, before: null, started_at: interaction.started_at + 1 } : interaction
}
