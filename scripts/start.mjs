// npm start [-- --port N --persist-to DIR]: serves the production bundle on this machine until stopped, with nothing to prepare.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { build } from './bundle.mjs'
import { devVars } from './dev-vars.mjs'
import { installWhenNeeded } from './install.mjs'
import { commandOf, known, parentOf } from './process-identity.mjs'
import { claim } from './state-directory.mjs'
import { NODE, Refusal, ROOT, run, toolEnvironment } from './toolchain.mjs'

const USAGE = 'Usage: npm start -- [--port 8787] [--persist-to .wrangler/state]'
const LAUNCHER_CHECK_MS = 500
const PORT_WAIT_MS = 3_000
const STOP_MS = 8_000
const SIGNAL_MS = 200

/** @param {string[]} args */
function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: { port: { type: 'string' }, 'persist-to': { type: 'string' }, help: { type: 'boolean' } },
    })
    const port = values.port === undefined ? 8787 : /^\d+$/.test(values.port) ? Number(values.port) : 0
    if (port < 1 || port > 65_535) throw new Refusal(`--port takes a number from 1 to 65535, not "${values.port}".`)
    if (values['persist-to'] === '') throw new Refusal('--persist-to takes a directory.')
    return { port, persist: path.resolve(values['persist-to'] ?? path.join(ROOT, '.wrangler/state')), help: values.help === true }
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Refusal(`${/** @type {Error} */ (error).message.split('. ')[0]}. ${USAGE}`)
  }
}

/** @param {number} port */
async function isFree(port) {
  for (const host of ['127.0.0.1', '::1']) {
    const probe = createServer()
    const error = await new Promise((resolve) => {
      probe.once('error', resolve)
      probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)))
    })
    if (error?.code === 'EADDRINUSE') return false
    if (error?.code === 'EACCES') throw new Refusal(`Port ${port} needs more rights than this user has.`)
  }
  return true
}

/** @param {number} port */
async function waitUntilFree(port) {
  const deadline = Date.now() + PORT_WAIT_MS
  while (!(await isFree(port))) {
    if (Date.now() > deadline) throw new Refusal(`Port ${port} is in use: stop what listens there, or choose another with --port.`)
    await sleep(100)
  }
}

/** The npm (or the like) that runs us, past the shell that it may have put between; null when a person's shell or anything else does. */
async function launcher() {
  if (!process.env.npm_lifecycle_event) return null
  const parent = process.ppid
  const isShell = /^(\S*\/)?(sh|bash|dash|zsh|ash)\s/.test(await commandOf(parent))
  return await known((isShell ? await parentOf(parent) : parent) ?? parent)
}

/**
 * A SIGKILL to npm leaves us running, unseen and holding the port.
 * @param {import('./process-identity.mjs').KnownProcess | null} above
 * @param {AbortSignal} signal
 */
async function launcherGone(above, signal) {
  const parent = process.ppid
  while (!signal.aborted) {
    await sleep(LAUNCHER_CHECK_MS)
    if (!above) continue
    if (process.ppid !== parent || (await known(above.pid))?.identity !== above.identity) return
  }
}

/** @param {string} origin */
async function health(origin) {
  const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(30_000) })
  if (response.status === 200) return
  const text = await response.text()
  throw new Refusal(`The server runs but refuses to serve (${response.status}): ${detailOf(text)}`)
}

/** @param {string} text of a problem document (RFC 9457) */
function detailOf(text) {
  try {
    const { detail, title } = JSON.parse(text)
    return detail ?? title ?? text
  } catch {
    return text
  }
}

/** @param {string} persist */
const logFile = (persist) => path.join(persist, 'server.log')

/** @param {string} origin @param {string} persist */
function banner(origin, persist) {
  const relative = path.relative(process.cwd(), persist) || '.'
  const state = relative.startsWith('..') ? persist : relative
  return `
  Sallyport is running at ${origin}

  Open       ${origin}
  Try        curl -i ${origin}/api/sign-up -H 'content-type: application/json' \\
                  -d '{"email":"ada@example.com","password":"violet-otter-41-lantern"}'
  State      ${state}
  Log        ${process.stdout.isTTY ? 'here' : logFile(state)}
  Operators  /admin/api takes the ADMIN_TOKEN in .dev.vars
  Stop       Ctrl-C

`
}

async function main() {
  const { port, persist, help } = parse(process.argv.slice(2))
  if (help) return void process.stdout.write(`${USAGE}\n`)
  const stopped = new AbortController()
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => stopped.abort())
  const above = await launcher()

  await installWhenNeeded()
  const directory = await claim(persist, { port, launcher: above })
  try {
    await waitUntilFree(port)
    return await serve({ port, persist, directory, above, stopped })
  } finally {
    await directory.release()
  }
}

/**
 * @param {{ port: number, persist: string, directory: Awaited<ReturnType<typeof claim>>,
 *   above: import('./process-identity.mjs').KnownProcess | null, stopped: AbortController }} start
 */
async function serve({ port, persist, directory, above, stopped }) {
  const origin = `http://localhost:${port}`
  // The directory is claimed, so nobody else builds into it.
  const bundle = path.join(persist, 'bundle')
  // A server that was killed has cleaned nothing up.
  await rm(path.join(persist, 'tmp'), { recursive: true, force: true })
  await mkdir(path.join(persist, 'tmp'))
  let server
  try {
    const [vars] = await Promise.all([devVars(ROOT), build(bundle)])
    if (stopped.signal.aborted) return 0
    server = startServer({ bundle, host: 'localhost', ports: [port], vars: { ...vars, ISSUER: origin }, persist }, directory)
    // Ctrl-C reaches workerd too, and the news of its end may overtake our own signal.
    const ended = server.crashed.then(async (reason) => {
      await sleep(SIGNAL_MS)
      if (!stopped.signal.aborted) throw new Refusal(reason)
    })
    ended.catch(() => {})
    const asked = Promise.race([once(stopped.signal, 'abort'), launcherGone(above, stopped.signal)])
    await Promise.race([server.ready.then(() => health(origin)), ended, asked])
    if (!stopped.signal.aborted) process.stdout.write(banner(origin, persist))
    await Promise.race([ended, asked])
    return 0
  } finally {
    await server?.stop()
    await rm(bundle, { recursive: true, force: true })
  }
}

/**
 * @param {import('./bundle.mjs').ServerDescription} description
 * @param {Awaited<ReturnType<typeof claim>>} directory
 */
function startServer(description, directory) {
  // A pipe that nobody reads would fill up, and the Worker would stand still in the middle of a log line.
  const log = process.stdout.isTTY ? 'inherit' : openSync(logFile(description.persist), 'a', 0o600)
  const child = fork(path.join(ROOT, 'scripts', 'serve.mjs'), {
    cwd: ROOT,
    execPath: NODE,
    execArgv: ['--no-warnings'],
    env: toolEnvironment({ WRANGLER_LOG: 'error', TMPDIR: path.join(description.persist, 'tmp') }),
    stdio: ['ignore', log, log, 'ipc'],
  })
  let workerd = 0
  const exit = new Promise((resolve) => child.once('exit', () => resolve(true)))
  /** @type {(reason: string) => void} */
  let crash
  const crashed = new Promise((resolve) => {
    crash = resolve
  })
  /** @type {Promise<void>} */
  const ready = new Promise((resolve) => {
    child.on('message', async (/** @type {import('./serve.mjs').Report} */ report) => {
      if (report.type === 'workerd') {
        workerd = report.pid
        await directory.update({ workerd: await known(workerd) })
      } else if (report.type === 'ready') resolve()
      else if (report.type === 'failed') crash(`The server could not start: ${report.reason}`)
      else crash('The Workers runtime has ended unexpectedly; start again, the state is kept.')
    })
  })
  child.once('error', (error) => crash(`The server could not start: ${error.message}`))
  child.once('exit', () =>
    crash(`The server process has ended unexpectedly (see ${logFile(description.persist)}); start again, the state is kept.`),
  )
  if (child.pid) void known(child.pid).then((server) => directory.update({ server }))
  child.send({ server: description })

  return {
    ready,
    crashed,
    async stop() {
      if (child.connected) child.send('stop')
      if ((await Promise.race([exit, sleep(STOP_MS, null, { ref: false })])) === null) child.kill('SIGKILL')
      await exit
      // serve.mjs ends its workerd, unless it was killed itself.
      if (workerd) await endWorkerd(workerd)
    },
  }
}

/** @param {number} pid */
async function endWorkerd(pid) {
  if (/workerd/.test(await commandOf(pid))) process.kill(pid, 'SIGKILL')
}

for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
await run(main)
process.exit()
