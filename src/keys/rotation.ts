/**
 * The life of signing keys, as pure rules: next -> active -> retired -> gone. A key is published at least a day before it signs, and stays
 * published until the last token it signed is dead, so that rotation refuses no valid token (RFC 9700 says nothing of it; OpenID Connect
 * Core, 10.1.1 does).
 */
import { ACCESS_TOKEN_LIFETIME, CLOCK_SKEW } from '../protocol/claims.ts'
import type { KeyRow, KeyState, SigningAlgorithm } from './key.ts'

/** How long a key signs. */
export const ACTIVE_SECONDS = 30 * 86_400
/** How long a key is published before the schedule makes it sign: longer than anybody caches a key set. */
export const PUBLISHED_AHEAD_SECONDS = 86_400
/** How long an isolate may go on signing with a key that it loaded before a rotation it has not heard of. */
export const SIGNER_CACHE_SECONDS = 300
/** How long a retired key stays published: the last isolate to sign with it, the last token, the skew of clocks. */
export const RETIRED_SECONDS = SIGNER_CACHE_SECONDS + ACCESS_TOKEN_LIFETIME + CLOCK_SKEW + 600
/** How long a revoked key's row is kept, so that a repeated revocation has its answer. */
export const REVOKED_SECONDS = 30 * 86_400

/**
 * How long a key is published before a rotation by hand may make it sign: whoever has just asked for an unknown key asks again only after
 * a second, and must not miss it.
 */
export const HAND_PUBLISHED_SECONDS = 2
/** So many keys of all algorithms are published at most; verifiers take 64. Only rotations by hand, again and again, come near it. */
export const MAX_PUBLISHED_KEYS = 32

export type Timed = Pick<KeyRow, 'kid' | 'state' | 'state_at' | 'created_at'>

export type Step = { kid: string; state: KeyState | 'gone' }

/** What the clock alone makes happen now to the keys of one algorithm. The switch waits until a `next` key has been published long enough. */
export function dueSteps(keys: readonly Timed[], now: number): Step[] {
  const steps: Step[] = []
  const active = keys.find((key) => key.state === 'active')
  const next = keys.find((key) => key.state === 'next')
  if (next && (!active || switchTime(active, next) <= now)) steps.push(...promote(active, next))
  for (const key of keys) {
    if (key.state === 'retired' && now >= key.state_at + RETIRED_SECONDS) steps.push({ kid: key.kid, state: 'gone' })
    if (key.state === 'revoked' && now >= key.state_at + REVOKED_SECONDS) steps.push({ kid: key.kid, state: 'gone' })
  }
  return steps
}

/**
 * Whether a rotation of one algorithm by hand may happen now, or in how many seconds: when its next key has been published long enough, when
 * an old key of any algorithm has gone.
 */
export function handRotation(
  keys: readonly (Timed & Pick<KeyRow, 'alg'>)[],
  alg: SigningAlgorithm,
  now: number,
): { ok: true } | { ok: false; error: 'too_soon' | 'too_many'; retryAfter: number } {
  const next = keys.find((key) => key.state === 'next' && key.alg === alg)
  const retired = keys.filter((key) => key.state === 'retired')
  if (keys.length - keys.filter((key) => key.state === 'revoked').length >= MAX_PUBLISHED_KEYS) {
    const gone = Math.min(...retired.map((key) => key.state_at + RETIRED_SECONDS))
    return { ok: false, error: 'too_many', retryAfter: Math.max(1, gone - now) }
  }
  const ready = next ? next.created_at + HAND_PUBLISHED_SECONDS : now
  return ready > now ? { ok: false, error: 'too_soon', retryAfter: ready - now } : { ok: true }
}

/** The steps by which `next` becomes the key that signs. */
export function promote(active: Timed | undefined, next: Timed): Step[] {
  return [...(active ? [{ kid: active.kid, state: 'retired' as const }] : []), { kid: next.kid, state: 'active' as const }]
}

/** When the schedule lets `next` take over. Both are known ahead, so that signers switch on time without asking. */
export function switchTime(active: Timed, next: Timed): number {
  return Math.max(active.state_at + ACTIVE_SECONDS, next.created_at + PUBLISHED_AHEAD_SECONDS)
}

/** When the clock next changes something about the keys of one algorithm. Null: never. */
export function nextDue(keys: readonly Timed[]): number | null {
  const active = keys.find((key) => key.state === 'active')
  const next = keys.find((key) => key.state === 'next')
  const times = keys.flatMap((key) => {
    if (key.state === 'retired') return key.state_at + RETIRED_SECONDS
    return key.state === 'revoked' ? key.state_at + REVOKED_SECONDS : []
  })
  if (active && next) times.push(switchTime(active, next))
  return times.length > 0 ? Math.min(...times) : null
}
