import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { ROOT } from '../../scripts/toolchain.mjs'

/** The programs of a document: each block of TypeScript whose first line names a file, by that name. */
export async function programsOf(document: string): Promise<Record<string, string>> {
  const text = await readFile(path.join(ROOT, document), 'utf8')
  const blocks = [...text.matchAll(/^```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)^```$/gm)]
  const unnamed = text.split(/^```ts$/m).length - 1 - blocks.length
  if (unnamed > 0) throw new Error(`${document} has ${unnamed} blocks of TypeScript that name no file`)
  return Object.fromEntries(blocks.map(([, name = '', code = '']) => [name, code]))
}
