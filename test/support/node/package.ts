// The published package in a project of its own, outside of this repository, as somebody would have installed it.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { buildSdk } from '../../../scripts/build-sdk.mjs'
import { BIN, ROOT, toolEnvironment } from '../../../scripts/toolchain.mjs'

const run = promisify(execFile)

export type Project = {
  directory: string
  /** The packed package. */
  tarball: string
  /** Files of the package, from its root. */
  files: string[]
  /** Makes packages of this repository resolvable. */
  link(...packages: string[]): Promise<void>
  write(files: Record<string, string>): Promise<void>
  /** What the compiler says of these files in its strictest way; empty when nothing. */
  compile(options: object, files: string[]): Promise<string>
  /** Runs JavaScript as a module of the project, and answers what it prints. */
  run(script: string): Promise<string>
}

/** Builds and packs the SDK, and unpacks it where npm would. */
export async function installedProject(): Promise<Project> {
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-package-'))
  const built = path.join(directory, 'dist-sdk')
  await buildSdk(built)
  const env = toolEnvironment({ npm_config_cache: path.join(directory, '.npm'), npm_config_update_notifier: 'false' })
  await run('npm', ['pack', '--pack-destination', directory, '--loglevel=error'], { cwd: built, env })
  const name = (await readdir(directory)).find((file) => file.endsWith('.tgz')) ?? ''
  const tarball = path.join(directory, name)
  const installed = path.join(directory, 'node_modules/sallyport')
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1'])
  const write = async (files: Record<string, string>) => {
    for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
  }
  await write({ 'package.json': '{ "type": "module" }' })
  return {
    directory,
    tarball,
    files: await filesIn(installed),
    write,
    async link(...packages) {
      for (const name of packages) {
        const target = path.join(directory, 'node_modules', name)
        await mkdir(path.dirname(target), { recursive: true })
        await symlink(path.join(ROOT, 'node_modules', name), target)
      }
    },
    async compile(options, include) {
      await write({ 'tsconfig.json': JSON.stringify({ compilerOptions: { ...STRICT, ...options }, include }) })
      return await run(path.join(BIN, 'tsc'), ['-p', directory], { env }).then(
        () => '',
        (error: { stdout: string }) => error.stdout,
      )
    },
    async run(script) {
      await write({ 'run.mjs': script })
      const { stdout } = await run(path.join(BIN, 'node'), [path.join(directory, 'run.mjs')], { env, cwd: directory })
      return stdout
    },
  }
}

const STRICT = {
  noEmit: true,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  target: 'es2024',
  module: 'nodenext',
  lib: ['es2024', 'dom'],
  types: [],
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort()
}
