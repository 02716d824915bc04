/** The figures of the proofs: each file writes its own under .test/figures; LONG=1 or UPDATE=1 makes results.md of them. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT } from '../../scripts/toolchain.mjs'
import { LONG, SEED } from './size.ts'
import { writeResults } from './write-results.ts'

export const FIGURES = path.join(ROOT, '.test', 'figures')

/** One line of results.md. */
export type Row = { what: string; size: string; result: string }

export type Figures = { name: string; run: 'normal' | 'long'; seed: number; rows: Row[] }

export async function writeFigures(name: string, rows: Row[]): Promise<void> {
  const figures: Figures = { name, run: LONG ? 'long' : 'normal', seed: SEED, rows }
  await mkdir(FIGURES, { recursive: true })
  await writeFile(path.join(FIGURES, `${name}.json`), `${JSON.stringify(figures, null, 2)}\n`)
  if (LONG || process.env.UPDATE === '1') await writeResults(FIGURES)
}

/** The value that `share` (0 to 1) of the numbers do not exceed. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** Milliseconds as `p50 / p99 / max`. */
export const spread = (ms: readonly number[]): string =>
  `${[percentile(ms, 0.5), percentile(ms, 0.99), percentile(ms, 1)].map((value) => Math.round(value)).join(' / ')} ms`

/** How often each thing came, most often first: `a 3, b 1`. */
export function tally(things: Iterable<string | number>): string {
  const counts = [...Map.groupBy(things, String)].map(([thing, all]): [string, number] => [thing, all.length])
  return counts
    .toSorted((a, b) => b[1] - a[1])
    .map(([thing, count]) => `${thing} ${count}`)
    .join(', ')
}
