// The production bundle: built by wrangler exactly as it is deployed, and described to Miniflare with what wrangler.toml says of it.
import { spawn } from 'node:child_process'
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { BIN, Refusal, ROOT, toolEnvironment } from './toolchain.mjs'

export const DIST = path.join(ROOT, 'dist')

// wrangler reads `.dev.vars` unless it is given another file; this one does not exist.
const NO_DEV_VARS = { envFiles: ['.no.vars'] }

const MODULE_TYPES = /** @type {const} */ ({
  '.js': 'ESModule',
  '.wasm': 'CompiledWasm',
  '.sql': 'Text',
  '.toml': 'Text',
  '.txt': 'Text',
  '.html': 'Text',
})

/** Replaces `directory` (dist/ by default): a leftover module of an older build would otherwise become part of the bundle. */
export async function build(directory = DIST) {
  await rm(directory, { recursive: true, force: true })
  const child = spawn(path.join(BIN, 'wrangler'), ['deploy', '--dry-run', '--outdir', directory], {
    cwd: ROOT,
    env: toolEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('close', resolve)
  })
  if (code !== 0) throw new Refusal(`${output}The production bundle could not be built.`)
}

/**
 * @typedef {object} ServerDescription
 * @property {string} bundle directory of a build
 * @property {string} host to listen on
 * @property {number[]} ports one for each edge; the edges after the first share its objects
 * @property {Record<string, string>} vars over the [vars] of wrangler.toml
 * @property {string} persist directory of the state, laid out as `wrangler dev --persist-to` does
 */

/**
 * Miniflare's options for the bundle. Bindings, objects and compatibility come from wrangler.toml; a developer's `.dev.vars` does not.
 * @param {ServerDescription} server
 * @returns {Promise<import('miniflare').V4MiniflareOptions & { workers: import('miniflare').V4WorkerOptions[] }>}
 */
export async function miniflareOptions({ bundle, host, ports, vars, persist }) {
  const { unstable_getMiniflareWorkerOptions, unstable_readConfig } = await import('wrangler')
  const configPath = path.join(ROOT, 'wrangler.toml')
  const config = unstable_readConfig({ config: configPath }, { hideWarnings: true })
  const {
    modulesRules,
    durableObjects = {},
    ...worker
  } = unstable_getMiniflareWorkerOptions(configPath, undefined, NO_DEV_VARS).workerOptions
  const objects = Object.entries(/** @type {Record<string, object>} */ (durableObjects))
  const ofFirst = Object.fromEntries(objects.map(([binding, object]) => [binding, { ...object, scriptName: config.name }]))
  const modules = await modulesOf(bundle)
  return {
    // Each edge has a socket of its own, without Miniflare's entry Worker before it.
    host: '127.0.0.1',
    port: 0,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
    resourcePersistencePath: path.join(persist, 'v3'),
    workers: ports.map((port, index) => ({
      ...worker,
      name: index === 0 ? config.name : `${config.name}-${index + 1}`,
      modules,
      modulesRoot: bundle,
      bindings: { ...config.vars, ...vars },
      durableObjects: index === 0 ? durableObjects : ofFirst,
      unsafeDirectSockets: [{ host, port }],
    })),
  }
}

/**
 * The entry first, as Miniflare wants it.
 * @param {string} bundle
 * @returns {Promise<import('miniflare').V4ModuleDefinition[]>}
 */
async function modulesOf(bundle) {
  const files = (await readdir(bundle, { recursive: true })).sort((a, b) => Number(b === 'worker.js') - Number(a === 'worker.js'))
  return files.flatMap((file) => {
    const type = Object.entries(MODULE_TYPES).find(([extension]) => extension === path.extname(file))?.[1]
    return type ? [{ type, path: path.join(bundle, file) }] : []
  })
}
