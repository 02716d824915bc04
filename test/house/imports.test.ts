import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'
import { importsOf, MAX_LINES, MAX_TEST_LINES, NO_NOUN, type Source, strayStatements, wrongImports } from './rules.ts'

async function sourcesIn(folder: string): Promise<Source[]> {
  const files = await readdir(path.join(ROOT, folder), { recursive: true }).catch(() => [])
  const paths = files.map((file) => `${folder}/${file.replaceAll(path.sep, '/')}`).filter((file) => /\.(ts|tsx|mjs)$/.test(file))
  return await Promise.all(paths.map(async (file) => ({ path: file, text: await readFile(path.join(ROOT, file), 'utf8') })))
}

describe('the house', () => {
  let sources: Source[]
  beforeAll(async () => {
    sources = await sourcesIn('src')
  })

  test('is read whole', () => {
    expect(sources.map(({ path }) => path)).toContain('src/worker.ts')
    expect(sources.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(sources.length)
  })

  test('imports only downwards, and hono and cloudflare:workers only in its shells', () => {
    expect(wrongImports(sources)).toEqual([])
  })

  test('keeps its SQL in stores', () => expect(strayStatements(sources)).toEqual([]))

  test('has no file that swallowed the rest', async () => {
    const longer = (files: readonly Source[], lines: number) => files.filter(({ text }) => text.split('\n').length > lines + 1)
    const tooLong = [
      ...longer([...sources, ...(await sourcesIn('scripts'))], MAX_LINES),
      ...longer(await sourcesIn('test'), MAX_TEST_LINES),
    ]
    expect(tooLong.map(({ path }) => path)).toEqual([])
  })

  test('names its folders after things', async () => {
    const folders = ['src', 'test', 'scripts', 'bench', 'examples']
    const all = (await Promise.all(folders.map(sourcesIn))).flat().map(({ path: file }) => path.dirname(file))
    expect([...new Set(all)].filter((folder) => NO_NOUN.test(folder) && !folder.includes('node_modules'))).toEqual([])
  })
})

describe('the rules of the house', () => {
  test('see every form of an import', () => {
    const text = `import a from 'a'
import type { B } from "b"
import c, { d } from 'c'
import * as e from 'd'
import {
  f,
  g,
} from 'e'
import 'f'
export * from 'g'
export { h } from 'h'
export type { I } from 'i'
const j = await import('j')
type K = import('k').K`
    expect(importsOf(text)).toEqual([...'abcdefghijk'])
  })

  test.each([
    ['src/protocol/scope.ts', '../tokens/envelope.ts'],
    ['src/protocol/scope.ts', 'jose'],
    ['src/storage/migrate.ts', '../protocol/scope.ts'],
    ['src/sdk/verify.ts', '../tokens/envelope.ts'],
    ['src/sdk/verify.ts', 'valibot'],
    ['src/sdk/verify.ts', 'hono'],
    ['src/tokens/envelope.ts', '../accounts/account.ts'],
    ['src/sessions/refresh.ts', '../login/sign-in.ts'],
    ['src/login/sign-in.ts', '../http/sign-in.ts'],
    ['src/login/sign-in.ts', '../objects/account.ts'],
    ['src/login/sign-in.ts', '../config.ts'],
    ['src/login/sign-in.ts', 'hono/cookie'],
    ['src/http/sign-in.ts', 'cloudflare:workers'],
    ['src/objects/account.ts', '../http/sign-in.ts'],
    ['src/cellar/wine.ts', './cheese.ts'],
  ])('refuse that %s imports %s', (path, specifier) => {
    expect(wrongImports([{ path, text: `import { x } from '${specifier}'` }])).toHaveLength(1)
  })

  test.each([
    ['src/sdk/hono.ts', 'hono'],
    ['src/sdk/verify.ts', 'jose'],
    ['src/objects/account.ts', 'cloudflare:workers'],
    ['src/http/sign-in.ts', '../login/sign-in.ts'],
    ['src/sessions/refresh.ts', '../tokens/envelope.ts'],
    ['src/sessions/refresh.ts', './rotation.ts'],
  ])('allow that %s imports %s', (path, specifier) => {
    expect(wrongImports([{ path, text: `import { x } from '${specifier}'` }])).toEqual([])
  })

  test('find SQL outside of stores', () => {
    const texts = ['sql.exec(query)', '`SELECT sid FROM session`', "'INSERT OR IGNORE INTO code VALUES (?)'", "'DELETE FROM code'"]
    for (const text of texts) {
      expect(strayStatements([{ path: 'src/sessions/refresh.ts', text }])).toHaveLength(1)
      expect(strayStatements([{ path: 'src/sessions/session-store.ts', text }])).toEqual([])
    }
    expect(strayStatements([{ path: 'src/sessions/refresh.ts', text: '// selects the newest and updates it' }])).toEqual([])
  })

  test.each(['src/utils', 'src/oauth/helpers', 'test/common/x'])('refuse the folder %s', (folder) => expect(folder).toMatch(NO_NOUN))
})
