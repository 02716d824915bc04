// npm run example NAME [-- --ports 8787,8788,8789,8790,8791]: starts an example with the Sallyport that it needs, until stopped. Nothing is kept.
import { fork, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { build, miniflareOptions } from './bundle.mjs'
import { installWhenNeeded } from './install.mjs'
import { NODE, Refusal, ROOT, run, toolEnvironment } from './toolchain.mjs'

/** What each one starts, beside Sallyport itself. */
const EXAMPLES = {
  'notes-api': ['notes-api'],
  'node-api': ['node-api'],
  'browser-app': ['notes-api', 'browser-app'],
  'mcp-server': ['mcp-server'],
}
const EXAMPLES_FOLDER = path.join(ROOT, 'examples')
const USAGE = `Usage: npm run example ${Object.keys(EXAMPLES).join('|')} [-- --ports SALLYPORT,NOTES_API,NODE_API,BROWSER_APP,MCP_SERVER]`
const STOP_MS = 5_000
/** With which examples/node-api asks Sallyport about a token. */
const NODE_API_SECRET = randomBytes(32).toString('base64url')

/** @typedef {{ sallyport: number, 'notes-api': number, 'node-api': number, 'browser-app': number, 'mcp-server': number }} Ports */
/** @typedef {() => Promise<unknown>} Stop */

/** @param {string[]} args */
function parse(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ports: { type: 'string', default: '8787,8788,8789,8790,8791' } },
  })
  const name = positionals[0] ?? ''
  const numbers = values.ports.split(',').map(Number)
  if (!Object.hasOwn(EXAMPLES, name) || numbers.length !== 5 || !numbers.every((port) => port > 0 && port < 65_536)) {
    throw new Refusal(USAGE)
  }
  const [sallyport = 0, notes = 0, node = 0, browser = 0, mcp = 0] = numbers
  const parts = EXAMPLES[/** @type {keyof typeof EXAMPLES} */ (name)]
  return { name, parts, ports: { sallyport, 'notes-api': notes, 'node-api': node, 'browser-app': browser, 'mcp-server': mcp } }
}

/** @param {number} port */
const origin = (port) => `http://localhost:${port}`

/** @param {Ports} ports */
const mcpResource = (ports) => `${origin(ports['mcp-server'])}/mcp`

/**
 * Sallyport, and the Workers of the example beside it: of one account, so that they reach it by their service binding.
 * @param {Ports} ports @param {string[]} parts @param {string} directory
 */
async function workers(ports, parts, directory) {
  const bundle = path.join(directory, 'bundle')
  await build(bundle)
  const vars = {
    SALLYPORT_ENV: 'development',
    ISSUER: origin(ports.sallyport),
    SIGN_UP: 'immediate',
    SALLYPORT_SECRET: randomBytes(32).toString('base64url'),
    ADMIN_TOKEN: process.env.ADMIN_TOKEN ?? randomBytes(32).toString('base64url'),
    AUDIENCES: [origin(ports['notes-api']), origin(ports['node-api']), mcpResource(ports)].join(),
    SCOPES: 'notes:read notes:write',
    ALLOWED_ORIGINS: origin(ports['browser-app']),
    CLIENTS_TOML: nodeApiClient(ports),
  }
  const options = await miniflareOptions({ bundle, host: 'localhost', ports: [ports.sallyport], vars, persist: directory })
  const ISSUER = origin(ports.sallyport)
  const beside = [
    ...(parts.includes('notes-api')
      ? [exampleWorker('notes-api', ports, { ISSUER, AUDIENCE: origin(ports['notes-api']), ALLOWED_ORIGINS: vars.ALLOWED_ORIGINS })]
      : []),
    ...(parts.includes('mcp-server') ? [exampleWorker('mcp-server', ports, { ISSUER, RESOURCE: mcpResource(ports) })] : []),
  ]
  return { ...options, workers: [...options.workers, ...(await Promise.all(beside))] }
}

/** The entry of examples/node-api in clients.toml. @param {Ports} ports */
const nodeApiClient = (ports) => `[[client]]
client_id = "node-api"
grant_types = ["client_credentials"]
client_secret_sha256 = ["${createHash('sha256').update(NODE_API_SECRET).digest('base64url')}"]
serves = ["${origin(ports['node-api'])}"]
`

/** @param {'notes-api' | 'mcp-server'} name @param {Ports} ports @param {Record<string, string>} bindings over its own [vars] */
async function exampleWorker(name, ports, bindings) {
  const { unstable_getMiniflareWorkerOptions } = await import('wrangler')
  const { build: bundled } = await import('esbuild')
  const { outputFiles } = await bundled({
    entryPoints: [path.join(EXAMPLES_FOLDER, name, 'worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    external: ['cloudflare:*'],
    conditions: ['workerd', 'worker', 'browser'],
  })
  const { modulesRules, ...worker } = unstable_getMiniflareWorkerOptions(path.join(EXAMPLES_FOLDER, name, 'wrangler.toml')).workerOptions
  return {
    ...worker,
    name,
    modules: [{ type: /** @type {const} */ ('ESModule'), path: 'worker.js', contents: outputFiles[0]?.text ?? '' }],
    bindings: { ...worker.bindings, ...bindings },
    unsafeDirectSockets: [{ host: 'localhost', port: ports[name] }],
  }
}

/**
 * @param {import('miniflare').V4MiniflareOptions} options @param {string} directory
 * @returns {Promise<{ stop: Stop, ended: Promise<unknown> }>}
 */
async function serve(options, directory) {
  const child = fork(path.join(ROOT, 'scripts/serve.mjs'), {
    execPath: NODE,
    execArgv: ['--no-warnings'],
    env: toolEnvironment({ WRANGLER_LOG: 'error', TMPDIR: directory }),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    if (child.connected) child.send('stop')
    if ((await Promise.race([ended, sleep(STOP_MS, null, { ref: false })])) === null) child.kill('SIGKILL')
  }
  child.send({ options, temporary: directory })
  /** @type {string | undefined} */
  const failure = await new Promise((resolve) => {
    child.on('message', (/** @type {import('./serve.mjs').Report} */ report) => {
      if (report.type === 'ready') resolve(undefined)
      else if (report.type === 'failed') resolve(report.reason)
    })
    child.once('exit', () => resolve('their process has ended'))
  })
  if (failure === undefined) return { stop, ended }
  await stop()
  throw new Refusal(`The Workers could not start: ${failure}`)
}

/** @param {Ports} ports */
async function nodeApi(ports) {
  const child = spawn(NODE, [path.join(EXAMPLES_FOLDER, 'node-api/server.ts')], {
    env: toolEnvironment({
      ISSUER: origin(ports.sallyport),
      AUDIENCE: origin(ports['node-api']),
      PORT: String(ports['node-api']),
      CLIENT_SECRET: NODE_API_SECRET,
    }),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  await Promise.race([once(child.stdout, 'data'), ended])
  if (child.exitCode !== null) throw new Refusal('examples/node-api could not start.')
  const stop = async () => {
    child.kill()
    await ended
  }
  return { stop, ended }
}

/** The page, built anew whenever it is loaded. @param {Ports} ports */
async function browserApp(ports) {
  const { context } = await import('esbuild')
  const folder = path.join(EXAMPLES_FOLDER, 'browser-app')
  const page = await context({
    entryPoints: [path.join(folder, 'app.ts')],
    outdir: folder,
    bundle: true,
    write: false,
    format: 'esm',
    define: { SALLYPORT: JSON.stringify(origin(ports.sallyport)), NOTES_API: JSON.stringify(origin(ports['notes-api'])) },
  })
  await page.serve({ servedir: folder, host: 'localhost', port: ports['browser-app'] })
  return { stop: () => page.dispose(), ended: new Promise(() => {}) }
}

async function main() {
  const { name, parts, ports } = parse(process.argv.slice(2))
  const stopped = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, resolve)
  })
  await installWhenNeeded()
  const directory = await mkdtemp(path.join(tmpdir(), 'sallyport-example-'))
  /** @type {{ stop: Stop, ended: Promise<unknown> }[]} */
  const running = []
  try {
    running.push(await serve(await workers(ports, parts, directory), directory))
    if (parts.includes('node-api')) running.push(await nodeApi(ports))
    if (parts.includes('browser-app')) running.push(await browserApp(ports))
    const lines = ['sallyport', ...parts].map(
      (part) => `  ${part.padEnd(12)} ${part === 'mcp-server' ? mcpResource(ports) : origin(ports[/** @type {keyof Ports} */ (part)])}`,
    )
    process.stdout.write(`\n${lines.join('\n')}\n\n  Stop ${name} with Ctrl-C.\n\n`)
    await Promise.race([stopped, ...running.map(({ ended }) => ended)])
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
    await rm(directory, { recursive: true, force: true })
  }
  return 0
}

await run(main)
process.exit()
