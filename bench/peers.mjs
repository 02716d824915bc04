// The peers are packages of the bench alone.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Refusal } from '../scripts/toolchain.mjs'

const HERE = import.meta.dirname

/** Installs what package-lock.json holds, unless it is there. `without` is what can be done where that fails. */
export async function installPeers(without = '') {
  const { devDependencies } = JSON.parse(readFileSync(path.join(HERE, 'package.json'), 'utf8'))
  if (Object.keys(devDependencies).every((name) => existsSync(path.join(HERE, 'node_modules', name)))) return
  process.stdout.write('Installing the peers of bench/package-lock.json (once) ...\n')
  const npm = spawn('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { cwd: HERE, stdio: 'inherit' })
  const code = await new Promise((resolve) => {
    npm.once('error', () => resolve(1))
    npm.once('exit', resolve)
  })
  if (code !== 0) throw new Refusal(`The peers could not be installed.${without}`)
}
