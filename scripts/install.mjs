// Installs the packages when node_modules is not what package-lock.json says. Needs nothing but Node itself.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { Refusal, ROOT, run } from './toolchain.mjs'

/** Answers once node_modules is what package-lock.json says; several processes may call it at once, one of them installs. */
export async function installWhenNeeded() {
  if (await isInstalled(ROOT)) return
  await withLock(path.join(ROOT, '.wrangler', 'install.lock'), async () => {
    if (await isInstalled(ROOT)) return
    process.stdout.write('Installing the packages of package-lock.json (once) ...\n')
    await install()
  })
}

/**
 * Whether every package of the lock is installed in its version. npm writes `.package-lock.json` last, so an interrupted install has none.
 * Optional packages may be absent: they are other platforms' binaries.
 * @param {string} root
 */
export async function isInstalled(root) {
  const bin = path.join(root, 'node_modules', '.bin')
  if (!['node', 'wrangler', 'vitest'].every((tool) => existsSync(path.join(bin, tool)))) return false
  const wanted = await packagesOf(path.join(root, 'package-lock.json'))
  const present = await packagesOf(path.join(root, 'node_modules', '.package-lock.json'))
  if (!wanted || !present) return false
  return Object.entries(wanted).every(([name, { version, optional, devOptional }]) => {
    if (name === '') return true
    const found = present[name]
    return found ? found.version === version : optional === true || devOptional === true
  })
}

/**
 * @param {string} file
 * @returns {Promise<Record<string, { version?: string, optional?: boolean, devOptional?: boolean }> | undefined>}
 */
async function packagesOf(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

const INSTALL = ['ci', '--include=dev', '--include=optional', '--no-fund', '--no-audit', '--loglevel=error']

async function install() {
  const child = spawn('npm', INSTALL, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(-1))
    child.once('exit', resolve)
  })
  if (code === -1) throw new Refusal('npm was not found, so the packages could not be installed.')
  if (code !== 0) throw new Refusal('`npm ci` failed, so the packages are not installed.')
  if (!(await isInstalled(ROOT))) throw new Refusal('npm ci did not install what package-lock.json says.')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(installWhenNeeded)
