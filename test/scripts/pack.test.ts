import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BIN, NODE, ROOT } from '../../scripts/toolchain.mjs'
import { installedProject, type Project } from '../support/node/package.ts'

const ENTRIES = [
  'sallyport/sdk',
  'sallyport/hono',
  'sallyport/accounts',
  'sallyport/introspection',
  'sallyport/browser',
  'sallyport/websocket',
  'sallyport/dpop',
]

let project: Project
beforeAll(async () => {
  project = await installedProject()
})
afterAll(() => rm(project.directory, { recursive: true, force: true }))

const manifest = async (directory: string) => JSON.parse(await readFile(path.join(directory, 'package.json'), 'utf8'))
const installed = () => manifest(path.join(project.directory, 'node_modules/sallyport'))

describe('the published package', () => {
  test('holds the compiled SDK and the command, their types, and three documents', () => {
    const others = project.files.filter((file) => !/^(sdk|protocol|cli)\/.+(\.js|\.d\.ts)$/.test(file))
    expect(others).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    expect(project.files).toContain('sdk/browser/create-client.js')
    expect(project.files).toContain('sdk/browser/create-client.d.ts')
  })

  test('has the entries and the version of the project, and depends on nothing', async () => {
    const [published, own] = [await installed(), await manifest(ROOT)]
    expect(
      Object.keys(published.exports)
        .map((entry) => `sallyport${entry.slice(1)}`)
        .sort(),
    ).toEqual([...ENTRIES].sort())
    expect(published.version).toBe(own.version)
    expect(published).not.toHaveProperty('dependencies')
    expect(published).not.toHaveProperty('scripts')
    expect(published.peerDependenciesMeta).toEqual({ hono: { optional: true } })
  })

  test('has the command, which runs where no other package is installed', async () => {
    const { bin } = await installed()
    expect(bin).toEqual({ sallyport: 'cli/sallyport.js' })
    const command = path.join(project.directory, 'node_modules/sallyport', bin.sallyport)
    const { stdout } = await promisify(execFile)(NODE, [command, '--help'])
    expect(stdout).toMatch(/^Usage: sallyport COMMAND/)
    expect(await readFile(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
  })

  test('passes publint', async () => {
    const { messages } = await publint({ pkgDir: path.join(project.directory, 'node_modules/sallyport'), strict: true, pack: false })
    expect(messages).toEqual([])
  })

  test('passes Are The Types Wrong, as a package of ES modules', async () => {
    const attw = path.join(BIN, 'attw')
    const { stdout } = await promisify(execFile)(attw, [project.tarball, '--profile', 'esm-only', '--format', 'json'])
    const { analysis } = JSON.parse(stdout)
    expect(Object.keys(analysis.entrypoints)).toHaveLength(ENTRIES.length)
    for (const { resolutions } of Object.values<{ resolutions: Record<string, { resolution?: { isTypeScript: boolean } }> }>(
      analysis.entrypoints,
    )) {
      expect(resolutions['node16-esm']?.resolution?.isTypeScript).toBe(true)
      expect(resolutions.bundler?.resolution?.isTypeScript).toBe(true)
    }
  })

  test('is imported by Node, each entry, where no other package is installed', async () => {
    const script = `for (const entry of ${JSON.stringify(ENTRIES)}) console.log(Object.keys(await import(entry)).join())`
    const [sdk, hono, accounts, introspection, browser, websocket, dpop] = (await project.run(script)).trim().split('\n')
    expect(sdk).toBe('TokenError,createVerifier')
    expect(hono).toContain('authenticate')
    expect(accounts).toBe('withAccounts')
    expect(introspection).toBe('introspection')
    expect(browser).toBe('ClientError,createClient')
    expect(websocket).toBe('websocketFeed')
    expect(dpop).toBe('DpopError,dpopVerifier')
  })

  test('names no file of the repository', async () => {
    for (const file of project.files.filter((name) => /\.(js|d\.ts)$/.test(name))) {
      const text = await readFile(path.join(project.directory, 'node_modules/sallyport', file), 'utf8')
      expect(text, file).not.toMatch(/from ['"][^'"]+\.ts['"]/)
    }
  })
})
