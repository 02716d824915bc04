import { describe, expect, test } from 'vitest'
import { countEcho, decideRotation, type Lineage } from '../../src/sessions/rotation.ts'

const NOW = 1_800_000_000
const lineage = (generation: number, rotations: Lineage['rotations'] = [], recovered: number | null = null): Lineage => ({
  generation,
  rotations,
  recovered,
})
const zone = (it: Lineage, presented: number, bound = false) => decideRotation(it, presented, bound, NOW).zone

describe('a presented generation falls into exactly one zone', () => {
  test.each([
    ['the newest generation', lineage(7, [[NOW - 500, 5]]), 7, 'current'],
    ['the first generation of a new family', lineage(1), 1, 'current'],
    ['one rotated this second', lineage(7, [[NOW, 6]]), 6, 'A'],
    ['one rotated 30 s ago', lineage(7, [[NOW - 30, 6]]), 6, 'A'],
    ['one rotated 31 s ago, the one before the newest', lineage(7, [[NOW - 31, 6]]), 6, 'B'],
    ['several behind, but all rotated within 30 s', lineage(9, [[NOW - 30, 5], [NOW - 2, 7]]), 5, 'A'], // biome-ignore format: a row
    ['a second generation rotated in one second', lineage(9, [[NOW - 30, 5]]), 8, 'A'],
    ['one rotated before a later one of the last 30 s', lineage(9, [[NOW - 31, 5], [NOW - 2, 8]]), 7, 'C'], // biome-ignore format: a row
    ['two behind the newest, outside A', lineage(7, [[NOW - 60, 5]]), 5, 'C'],
    ['the first one of an old family', lineage(400, [[NOW, 399]]), 1, 'C'],
    ['a generation not reached yet', lineage(7), 8, 'unknown'],
    ['generation zero', lineage(7), 0, 'unknown'],
    ['the same lost response again', lineage(7, [], 6), 6, 'B'],
    ['a second consecutive generation whose response was lost', lineage(7, [], 5), 6, 'C'],
    ['a lost response, long after another one', lineage(9, [], 5), 8, 'B'],
  ] as const)('%s', (_, it, presented, expected) => {
    expect(zone(it, presented)).toBe(expected)
  })

  test('a bound client may lose any number of responses in a row', () => {
    expect(zone(lineage(7, [], 5), 6, true)).toBe('B')
  })

  test('only the first presentation of a lost response changes the row', () => {
    const first = decideRotation(lineage(7, [], 3), 6, false, NOW)
    expect(first).toEqual({ zone: 'B', lineage: lineage(7, [], 6) })
    expect(decideRotation(lineage(7, [], 6), 6, false, NOW)).toEqual({ zone: 'B' })
  })
})

describe('what a rotation remembers', () => {
  test('the lowest generation rotated in each second', () => {
    let it = lineage(1)
    for (let n = 0; n < 5; n++) {
      const decision = decideRotation(it, it.generation, false, NOW)
      if (decision.zone !== 'current') throw new Error(decision.zone)
      it = decision.lineage
    }
    expect(it).toEqual(lineage(6, [[NOW, 1]]))
  })

  test('never more than 31 seconds of them, however often it rotates', () => {
    let it = lineage(1)
    for (let n = 0; n < 500; n++) {
      const decision = decideRotation(it, it.generation, false, NOW + Math.floor(n / 3))
      if (decision.zone !== 'current') throw new Error(decision.zone)
      it = decision.lineage
      expect(it.rotations.length).toBeLessThanOrEqual(31)
    }
  })

  test('zone A ends exactly 30 s after the rotation, for each of a fast chain', () => {
    let it = lineage(1)
    for (let second = 0; second < 60; second++) {
      const decision = decideRotation(it, it.generation, false, NOW + second)
      if (decision.zone !== 'current') throw new Error(decision.zone)
      it = decision.lineage
    }
    // Generation g was rotated at NOW + g - 1; the newest is 61, and it is NOW + 59.
    const at = (presented: number) => decideRotation(it, presented, false, NOW + 59).zone
    expect(at(30)).toBe('A')
    expect(at(29)).toBe('C')
  })
})

describe('echoes: zone A replays from another network', () => {
  test('the account is told at the third generation in a row, once', () => {
    let state = { echoed: null as number | null, echoes: 0 }
    const told: number[] = []
    for (const presented of [4, 4, 5, 6, 6, 7]) {
      const next = countEcho(state, presented)
      if (next?.tell) told.push(presented)
      if (next) state = next
    }
    expect(told).toEqual([6])
  })

  test('a gap starts the count afresh', () => {
    expect(countEcho({ echoed: 4, echoes: 2 }, 6)).toMatchObject({ echoes: 1, tell: false })
  })
})
