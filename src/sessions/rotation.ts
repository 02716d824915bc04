/**
 * The policy of refresh rotation: what a presented generation of a family deserves (design, "Refresh rotation"). Pure; the family's
 * row and the clock come in, a zone and the row's next state go out. It speaks RFC 9700, 4.14.2.
 */

/** Zone A: a generation rotated at most this long ago answers the newest again. */
export const GRACE_SECONDS = 30

export type Rotation = readonly [second: number, lowestGeneration: number]

export type Lineage = {
  /** The newest generation; the first is 1. */
  generation: number
  /** The rotations of the last 30 s: for each second in which one happened, the lowest generation rotated in it. At most 31. */
  rotations: readonly Rotation[]
  /** The last generation whose lost response was answered again in zone B. */
  recovered: number | null
}

export type Decision =
  | { zone: 'current'; lineage: Lineage }
  | { zone: 'A' }
  /** `lineage` is there when the row changes: on the first presentation of this generation here. */
  | { zone: 'B'; lineage?: Lineage }
  | { zone: 'C' }
  /** A generation that this family has not reached: only a restored database explains it. No alarm, no answer. */
  | { zone: 'unknown' }

/**
 * @param bound the presenter proved more than possession (confidential client, DPoP key): it may lose any number of responses in a row.
 */
export function decideRotation(lineage: Lineage, presented: number, bound: boolean, now: number): Decision {
  const { generation, recovered } = lineage
  if (presented > generation || presented < 1) return { zone: 'unknown' }
  const recent = lineage.rotations.filter(([second]) => second >= now - GRACE_SECONDS)
  if (presented === generation) {
    const rotations = recent.at(-1)?.[0] === now ? recent : [...recent, [now, presented] as const]
    return { zone: 'current', lineage: { generation: generation + 1, rotations, recovered } }
  }
  const oldest = recent[0]
  if (oldest && presented >= oldest[1]) return { zone: 'A' }
  if (presented !== generation - 1) return { zone: 'C' }
  if (presented === recovered) return { zone: 'B' }
  // Two generations in a row, each retried late: a thief who walks in step with the owner looks exactly so.
  if (!bound && recovered !== null && presented === recovered + 1) return { zone: 'C' }
  return { zone: 'B', lineage: { ...lineage, recovered: presented } }
}

/** How many generations in a row may be replayed in zone A from another network before the account is told. */
export const ECHO_LIMIT = 3

export type Echo = { echoed: number | null; echoes: number }

/**
 * Counts replays in zone A that come from another network than the rotation did: one process with two tabs does not look so, a thief
 * who shadows every rotation does. Answers the next count, or null when nothing changes.
 */
export function countEcho(echo: Echo, presented: number): (Echo & { tell: boolean }) | null {
  if (echo.echoed === presented) return null
  const echoes = echo.echoed !== null && presented === echo.echoed + 1 ? echo.echoes + 1 : 1
  return { echoed: presented, echoes, tell: echoes === ECHO_LIMIT }
}
