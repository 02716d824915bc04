/**
 * The keys of several algorithms side by side, as pure rules: each algorithm goes by the schedule of rotation.ts on its own. When the
 * configuration changes the algorithm of access tokens, the former one signs on until the new one's first key has been published for a day
 * (or a rotation by hand says now), and is then retired; RS256 stays, for ID tokens, and hands over at once.
 */
import { algorithmsOf, type KeyRow, type SigningAlgorithm } from './key.ts'
import { ACTIVE_SECONDS, dueSteps, nextDue, PUBLISHED_AHEAD_SECONDS, type Step, switchTime, type Timed } from './rotation.ts'

export type ScheduledKey = Timed & Pick<KeyRow, 'alg'>

/** What an algorithm lacks: a key that signs, one that is published to follow it. */
export type Lack = { alg: SigningAlgorithm; states: readonly ('active' | 'next')[] }

/** What the clock alone makes happen now. */
export function allDueSteps(keys: readonly ScheduledKey[], signingAlg: SigningAlgorithm, now: number): Step[] {
  const handover = handoverTime(keys, signingAlg)
  const isOver = handover !== null && handover <= now
  return [...Map.groupBy(keys, ({ alg }) => alg)].flatMap(([alg, own]) => {
    if (!isOver || algorithmsOf(signingAlg).includes(alg)) return dueSteps(own, now)
    const left = own.filter((key) => !isLiving(key))
    return [
      ...dueSteps(left, now),
      ...own.filter(isLiving).map(({ kid, state }): Step => ({ kid, state: state === 'active' ? 'retired' : 'gone' })),
    ]
  })
}

/** When the clock next changes something; the alarm is set for it. Null: never. */
export function allNextDue(keys: readonly ScheduledKey[], signingAlg: SigningAlgorithm): number | null {
  const times = [...Map.groupBy(keys, ({ alg }) => alg).values()].flatMap((own) => nextDue(own) ?? [])
  const handover = formerKeys(keys, signingAlg).length > 0 ? handoverTime(keys, signingAlg) : null
  if (handover !== null) times.push(handover)
  return times.length > 0 ? Math.min(...times) : null
}

/** The first of these algorithms that lacks a key, and which. */
export function findLack(keys: readonly ScheduledKey[], algorithms: readonly SigningAlgorithm[]): Lack | null {
  for (const alg of algorithms) {
    const states = (['active', 'next'] as const).filter((state) => !keys.some((key) => key.alg === alg && key.state === state))
    if (states.length > 0) return { alg, states }
  }
  return null
}

/** The key that signs now with an algorithm, and until when; null when there is none. */
export function signingKey<K extends ScheduledKey>(keys: readonly K[], alg: SigningAlgorithm): { key: K; signs_until: number } | null {
  const key = keys.find((each) => each.alg === alg && each.state === 'active')
  const next = keys.find((each) => each.alg === alg && each.state === 'next')
  return key ? { key, signs_until: next ? switchTime(key, next) : key.state_at + ACTIVE_SECONDS } : null
}

/** The key that signs access tokens now: of the configured algorithm, or of the former one while that hands over. */
export function accessTokenKey<K extends ScheduledKey>(
  keys: readonly K[],
  signingAlg: SigningAlgorithm,
  now: number,
): { key: K; signs_until: number } | null {
  const handover = handoverTime(keys, signingAlg)
  const former = formerKeys(keys, signingAlg).find(({ state }) => state === 'active')
  const signing = former && handover !== null && now < handover ? signingKey(keys, former.alg) : null
  if (!signing || handover === null) return signingKey(keys, signingAlg)
  return { key: signing.key, signs_until: Math.min(handover, signing.signs_until) }
}

/**
 * Since when `next` counts as signing that takes a revoked key's place. While the former algorithm signs on, a key of the new one is only
 * published, since it was made: a revocation must not pass for a rotation by hand and have it sign a day early.
 */
export function successionTime(keys: readonly ScheduledKey[], signingAlg: SigningAlgorithm, next: ScheduledKey, now: number): number {
  const isWaiting = next.alg === signingAlg && accessTokenKey(keys, signingAlg, now)?.key.alg !== signingAlg
  return isWaiting ? next.created_at : now
}

const isLiving = ({ state }: ScheduledKey): boolean => state === 'active' || state === 'next'

/** The living keys of an algorithm that the configuration no longer names. */
const formerKeys = <K extends ScheduledKey>(keys: readonly K[], signingAlg: SigningAlgorithm): K[] =>
  keys.filter((key) => isLiving(key) && !algorithmsOf(signingAlg).includes(key.alg))

/** From when the configured algorithm signs access tokens. A key that was promoted has been `next` before, and was published as that. */
function handoverTime(keys: readonly ScheduledKey[], signingAlg: SigningAlgorithm): number | null {
  const own = keys.find((key) => key.alg === signingAlg && key.state === 'active')
  if (!own) return null
  return own.state_at > own.created_at ? own.state_at : own.created_at + PUBLISHED_AHEAD_SECONDS
}
