/** When a client that registered itself is forgotten: registration is open to whoever asks, and most of what asks never comes back. */
import type { RegisteredClient } from './client-store.ts'

/** How exactly the last use is known, in seconds: a row is written so often at most. */
export const USE_SECONDS = 86_400
export const NEVER_USED_SECONDS = 7 * 86_400
/** The coarseness comes on top, so that nobody is forgotten early. */
export const IDLE_SECONDS = 90 * 86_400 + USE_SECONDS

/** The integer second from which it counts as idle. */
export const idleAt = ({ created_at, used_at }: Pick<RegisteredClient, 'created_at' | 'used_at'>): number =>
  used_at === null ? created_at + NEVER_USED_SECONDS : used_at + IDLE_SECONDS
