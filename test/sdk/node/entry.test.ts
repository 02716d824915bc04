import path from 'node:path'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

const ROOT = path.join(import.meta.dirname, '../../..')
const MAX_BYTES = 25_000

/** What a user's bundler makes of one of the package's entries: its size, and every file of ours and package in it. */
async function bundleOf(entry: string) {
  const { metafile, outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'src/sdk', entry)],
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['hono'],
    write: false,
    metafile: true,
  })
  const [output] = Object.values(metafile.outputs)
  return { bytes: outputFiles[0]?.contents.length ?? Number.NaN, files: Object.keys(metafile.inputs), packages: output?.imports ?? [] }
}

test('the verifier is at most 25,000 bytes minified, with all that it imports', async () => {
  const { bytes, files, packages } = await bundleOf('index.ts')
  expect(bytes).toBeGreaterThan(10_000)
  expect(bytes).toBeLessThanOrEqual(MAX_BYTES)
  expect(packages).toEqual([])
  expect(files.filter((file) => !/^src\/(sdk|protocol)\/[\w-]+\.ts$/.test(file))).toEqual([])
})

test('hono, the WebSocket and the browser’s part are not in it', async () => {
  const { files } = await bundleOf('index.ts')
  expect(files).toContain('src/sdk/create-verifier.ts')
  for (const optional of ['hono', 'dpop', 'dpop-proof', 'websocket', 'protected-resource', 'introspection', 'browser'])
    expect(files).not.toContain(`src/sdk/${optional}.ts`)
})

test.each([
  ['dpop.ts', 11_000],
  ['hono.ts', 8_000],
  ['websocket.ts', 8_000],
  ['accounts.ts', 1_000],
  ['introspection.ts', 5_000],
])('sallyport/%s brings no verifier of its own', async (entry, most) => {
  const { bytes, files, packages } = await bundleOf(entry)
  expect(files).not.toContain('src/sdk/create-verifier.ts')
  expect(bytes).toBeLessThanOrEqual(most)
  expect(packages).toEqual([])
})
