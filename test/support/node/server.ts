// The production bundle on the real runtime, as a black box with an origin and a pid: what flows, proofs and kill tests talk to.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { V4WorkerOptions } from 'miniflare'
import { build, DIST, miniflareOptions } from '../../../scripts/bundle.mjs'
import { NODE, ROOT, toolEnvironment } from '../../../scripts/toolchain.mjs'

type Start = { options: Awaited<ReturnType<typeof miniflareOptions>>; temporary?: string }
type Report = { type: 'workerd'; pid: number } | { type: 'ready' } | { type: 'failed'; reason: string } | { type: 'crashed' }

export type ServerOptions = {
  /** Directory of the state; a temporary one, deleted by `stop`, when absent. */
  persist?: string
  /** Over the defaults: development, an issuer that is the origin, fresh secrets, LAB on. */
  vars?: Record<string, string>
  /** How many edges (separate isolates, a port each) share the objects of the first. Default 1. */
  workers?: number
  /** Origin of the server that answers whatever the Worker fetches, in place of the network; `x-asked-for` names the URL. */
  outbound?: string
  /** Another Worker in the same workerd, for example `boundApi()`: described with its port, the first edge and the issuer. */
  beside?: (port: number, first: V4WorkerOptions, issuer: string) => Promise<V4WorkerOptions>
}

export type Server = {
  /** `http://localhost:PORT` of the first edge, which is also the ISSUER. */
  origin: string
  /** One for each edge, `origin` first. */
  origins: string[]
  /** Of the Worker beside it. */
  besideOrigin: string
  url(path: string): string
  /** Where the objects' state lies. */
  directory: string
  /** workerd's own process id; another one after `restart`. */
  readonly pid: number
  /** What the Worker sees, the generated SALLYPORT_SECRET and ADMIN_TOKEN included. */
  vars: Record<string, string>
  /** All that workerd and the Worker have written, over all restarts. */
  output(): string
  /** SIGKILL to workerd itself, as a crash would be: nothing is flushed, nobody is told. */
  kill9(): Promise<void>
  /** The same port, directory and secrets again, after `kill9` or in place of a running server; `changes` to what the Worker sees. */
  restart(changes?: Record<string, string>): Promise<void>
  stop(): Promise<void>
}

/** Starts the bundle in dist/ on free loopback ports and answers once it accepts connections. */
export async function startServer({ persist, vars = {}, workers = 1, outbound, beside }: ServerOptions = {}): Promise<Server> {
  if (!existsSync(path.join(DIST, 'worker.js'))) await build()
  const directory = persist ?? (await mkdtemp(path.join(tmpdir(), 'sallyport-')))
  const temporary = persist ? {} : { temporary: directory }
  const secrets = { SALLYPORT_SECRET: randomBytes(32).toString('base64url'), ADMIN_TOKEN: randomBytes(32).toString('base64url') }
  let output = ''
  const collect = (text: string) => {
    output += text
  }

  // A free port may be taken by another test before workerd binds it.
  for (let tries = 1; ; tries++) {
    const [besidePort = 0, ...ports] = await freePorts(1 + workers)
    const origins = ports.map((port) => `http://localhost:${port}`)
    const origin = origins[0] ?? ''
    const all = { SALLYPORT_ENV: 'development', ISSUER: origin, LAB: 'on', SIGN_UP: 'immediate', ...secrets, ...vars }
    const startOf = async (seen: typeof all): Promise<Start> => {
      const described = await miniflareOptions({ bundle: DIST, host: '127.0.0.1', ports, vars: seen, persist: directory })
      const [edge] = described.workers
      const others = beside && edge ? [await beside(besidePort, edge, seen.ISSUER)] : []
      const options = { ...described, workers: [...described.workers, ...others] }
      return { options: outbound === undefined ? options : withOutbound(options, outbound), ...temporary }
    }
    const first = await startHost(await startOf(all), directory, collect)
    if (!first.ok) {
      if (tries < 5 && /in use/i.test(`${first.reason} ${output}`)) continue
      if (!persist) await rm(directory, { recursive: true, force: true })
      throw new Error(`The server did not start: ${first.reason}\n${output}`)
    }
    let { host, pid } = first
    return {
      origin,
      origins,
      besideOrigin: `http://localhost:${besidePort}`,
      directory,
      url: (path) => new URL(path, origin).href,
      get pid() {
        return pid
      },
      vars: { ...all },
      output: () => output,
      kill9: () => killed(host, pid),
      async restart(changes = {}) {
        await endHost(host)
        const next = await startHost(await startOf({ ...all, ...changes }), directory, collect)
        if (!next.ok) throw new Error(`The server did not start again: ${next.reason}\n${output}`)
        host = next.host
        pid = next.pid
      },
      async stop() {
        await endHost(host)
        if (!persist) await rm(directory, { recursive: true, force: true })
      },
    }
  }
}

const OUTSIDE = `export default {
  fetch(request, { OUTBOUND }) {
    const { pathname, search } = new URL(request.url)
    const asked = new Request(OUTBOUND + pathname + search, request)
    asked.headers.set('x-asked-for', request.url)
    return fetch(asked)
  },
}`

/** A Worker of its own stands where the network would be. */
function withOutbound(options: Start['options'], outbound: string): Start['options'] {
  const modules = [{ type: 'ESModule' as const, path: 'outside.js', contents: OUTSIDE }]
  const outside = { name: 'outside', modules, bindings: { OUTBOUND: outbound } }
  return { ...options, workers: [...options.workers.map((edge) => ({ ...edge, outboundService: 'outside' })), outside] }
}

type Host = { ok: true; host: ChildProcess; pid: number } | { ok: false; reason: string }

async function startHost(start: Start, directory: string, collect: (text: string) => void): Promise<Host> {
  // A killed server leaves its temporary files: here they go with its state.
  const tmp = path.join(directory, 'tmp')
  await mkdir(tmp, { recursive: true })
  const host = fork(path.join(ROOT, 'scripts/serve.mjs'), {
    execPath: NODE,
    execArgv: ['--no-warnings'],
    env: toolEnvironment({ WRANGLER_LOG: 'error', TMPDIR: tmp }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  for (const stream of [host.stdout, host.stderr]) stream?.setEncoding('utf8').on('data', collect)
  host.send(start)
  const result = await new Promise<Host>((resolve) => {
    let pid = 0
    host.on('message', (report: Report) => {
      if (report.type === 'workerd') pid = report.pid
      else if (report.type === 'ready') resolve({ ok: true, host, pid })
      else if (report.type === 'failed') resolve({ ok: false, reason: report.reason })
    })
    host.once('exit', (code) => resolve({ ok: false, reason: `its process ended with ${code}` }))
  })
  if (!result.ok) await endHost(host)
  return result
}

async function endHost(host: ChildProcess): Promise<void> {
  if (hasEnded(host)) return
  const ended = once(host, 'exit')
  const timer = setTimeout(() => host.kill('SIGKILL'), 5_000)
  if (host.connected) host.send('stop')
  await ended
  clearTimeout(timer)
}

const hasEnded = (host: ChildProcess) => host.exitCode !== null || host.signalCode !== null

/** The process around workerd ends with it, so that nothing starts it again. */
async function killed(host: ChildProcess, pid: number): Promise<void> {
  const ended = hasEnded(host) ? undefined : once(host, 'exit')
  process.kill(pid, 'SIGKILL')
  await ended
}

/** Whether a process with this id exists (a zombie that nobody has reaped counts as existing). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** `count` different loopback ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
