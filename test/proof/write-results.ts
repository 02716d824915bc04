/** results.md out of the figures of the last runs. */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Figures } from './figures.ts'

const RESULTS = path.join(import.meta.dirname, 'results.md')

const HEAD = `# What the proofs found

Written by the tests beside this file: \`npm run test:long\` runs the full sizes, \`UPDATE=1\` takes the figures of a normal run. A result of
0 stands for every case of that size. \`SEED=n\` repeats the choices of a run; what the machine makes of them it decides anew.
`

const cell = (text: string) => text.replaceAll('|', '\\|')

function section({ name, run, seed, rows }: Figures): string {
  const lines = rows.map(({ what, size, result }) => `| ${cell(what)} | ${cell(size)} | ${cell(result)} |`)
  return `\n## ${name}\n\nA ${run} run, seed ${seed}.\n\n| what | size | result |\n|---|---|---|\n${lines.join('\n')}\n`
}

export async function writeResults(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).sort()
  const all = await Promise.all(files.map(async (file): Promise<Figures> => JSON.parse(await readFile(path.join(folder, file), 'utf8'))))
  const draft = path.join(folder, `results-${process.pid}.md`)
  await writeFile(draft, HEAD + all.map(section).join(''))
  await rename(draft, RESULTS)
}
