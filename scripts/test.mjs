// npm test [-- --long] [-- filters...]: installs when needed, builds the production bundle once, runs both projects of vitest once, and
// ends with one counted line.
import { spawn } from 'node:child_process'
import { mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { build } from './bundle.mjs'
import { installWhenNeeded } from './install.mjs'
import { count, exitCode, line } from './report.mjs'
import { NODE, Refusal, ROOT, toolEnvironment } from './toolchain.mjs'

const REPORT = path.join(ROOT, '.test', `report-${process.pid}.json`)

/** @param {string[]} filters @param {boolean} long */
async function vitest(filters, long) {
  const main = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(NODE, [main, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`, ...filters], {
    cwd: ROOT,
    env: toolEnvironment(long ? { LONG: '1' } : {}),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill(signal))
  return await new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

async function readReport() {
  try {
    return JSON.parse(await readFile(REPORT, 'utf8'))
  } catch {
    return undefined
  }
}

async function main() {
  const args = process.argv.slice(2)
  try {
    await installWhenNeeded()
    await build()
  } catch (error) {
    process.stderr.write(`${error instanceof Refusal ? error.message : error}\n`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
  await mkdir(path.dirname(REPORT), { recursive: true })
  const filters = args.filter((arg) => arg !== '--long')
  const code = await vitest(filters, args.includes('--long'))
  const result = count(await readReport(), code)
  await rm(REPORT, { force: true })
  return result
}

const result = await main()
process.stdout.write(`${line(result)}\n`)
process.exitCode = exitCode(result)
