// npm run build:sdk: what is published as `sallyport`, in dist-sdk/. It has a package.json of its own, because the one beside this folder
// describes the Worker: its dependencies (hashing, validation, the router) would otherwise come to everybody who only verifies tokens.
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { BIN, Refusal, ROOT, run, toolEnvironment } from './toolchain.mjs'

export const DIST_SDK = path.join(ROOT, 'dist-sdk')

/** Files beside the code, and what they are called in the package. */
const DOCUMENTS = { 'docs/sdk.md': 'README.md', LICENSE: 'LICENSE', 'CHANGELOG.md': 'CHANGELOG.md' }

/** Replaces `directory` with the package, ready for `npm pack` and `npm publish`. */
export async function buildSdk(directory = DIST_SDK) {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  await compile(directory)
  for (const [from, to] of Object.entries(DOCUMENTS)) await cp(path.join(ROOT, from), path.join(directory, to))
  const project = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'))
  await writeFile(path.join(directory, 'package.json'), `${JSON.stringify(manifest(project), null, 2)}\n`)
}

/** @param {string} directory */
async function compile(directory) {
  try {
    await promisify(execFile)(path.join(BIN, 'tsc'), ['-p', 'tsconfig.sdk.json', '--outDir', directory], {
      cwd: ROOT,
      env: toolEnvironment(),
    })
  } catch (error) {
    throw new Refusal(`${/** @type {{ stdout?: string }} */ (error).stdout ?? ''}The SDK could not be compiled.`)
  }
  // The compiler rewrites `./x.ts` to `./x.js` in code only, not in declarations.
  const files = await readdir(directory, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('.d.ts'))) {
    const text = await readFile(path.join(directory, file), 'utf8')
    await writeFile(path.join(directory, file), text.replace(/((?:from|import\() ?['"]\.[^'"]+)\.ts(?=['"])/g, '$1.js'))
  }
}

/** @param {string} source a file of src/ */
const compiledAt = (source) => source.replace(/^(\.\/)?src\//, '$1').replace(/\.ts$/, '')

/**
 * The entries and the commands are those of the project itself, compiled.
 * @param {{ name: string, version: string, description: string, license: string, bin: Record<string, string>,
 *   exports: Record<string, string>, dependencies: Record<string, string> }} project
 */
function manifest({ name, version, description, license, bin, exports, dependencies }) {
  const entries = Object.entries(exports).map(([entry, source]) => {
    const compiled = compiledAt(source)
    return [entry, { types: `${compiled}.d.ts`, default: `${compiled}.js` }]
  })
  const commands = Object.entries(bin).map(([command, source]) => [command, `${compiledAt(source)}.js`])
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=22' },
    bin: Object.fromEntries(commands),
    exports: Object.fromEntries(entries),
    // `sallyport/hono` needs its types only, and the other entries nothing.
    peerDependencies: { hono: dependencies.hono },
    peerDependenciesMeta: { hono: { optional: true } },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await run(async () => {
    await buildSdk()
    process.stdout.write('The package is in dist-sdk/: npm pack ./dist-sdk, or npm publish ./dist-sdk.\n')
    return 0
  })
}
