import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from '../../scripts/toolchain.mjs'
import { freePorts, isAlive } from '../support/node/server.ts'

type Started = { npm: ChildProcess; pid: number; output: () => string; exit: Promise<number | null> }
type Claim = Record<'script' | 'server' | 'workerd', { pid: number }>

const started = new Set<Started>()
let root: string
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sallyport-start-'))
})
afterAll(async () => {
  for (const { pid } of started) stopGroup(pid)
  await rm(root, { recursive: true, force: true })
})

/** `npm start` in a process group of its own, with no terminal and no stdin. */
function npmStart(...args: string[]): Started {
  const npm = spawn('npm', ['start', '--silent', '--', ...args], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const exit = once(npm, 'exit').then(([code]) => code)
  const start = { npm, pid: npm.pid ?? 0, output: () => output, exit }
  started.add(start)
  return start
}

function stopGroup(pid: number) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

async function serving(port: number, { npm, output }: Started): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (npm.exitCode !== null) break
    if (output().includes('is running at')) {
      expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200)
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`not serving:\n${output()}`)
}

async function claimOf(directory: string): Promise<Claim> {
  return JSON.parse(await readFile(path.join(directory, 'start.json'), 'utf8'))
}

async function ended(...pids: number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 50))
}

test('an option that means nothing is one sentence and exit code 1', async () => {
  for (const [args, sentence] of [
    [['--port', 'eighty'], /^--port takes a number/],
    [['--port', '70000'], /^--port takes a number/],
    [['--colour', 'red'], /^Unknown option '--colour'/],
  ] as const) {
    const start = npmStart(...args)
    expect(await start.exit).toBe(1)
    expect(start.output()).toMatch(sentence)
    expect(start.output().trim().split('\n')).toHaveLength(1)
  }
})

test('a port in use is one sentence and exit code 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const address = other.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  const directory = path.join(root, 'taken')
  const start = npmStart('--port', `${port}`, '--persist-to', directory)
  expect(await start.exit).toBe(1)
  expect(start.output()).toMatch(new RegExp(`^Port ${port} is in use`))
  expect(existsSync(path.join(directory, 'start.json'))).toBe(false)
  other.close()
})

test('several starts with their own ports and directories run side by side, and each stops whole', async () => {
  const ports = await freePorts(2)
  const servers = ports.map((port) => {
    const directory = path.join(root, `side-${port}`)
    return { port, directory, start: npmStart('--port', `${port}`, '--persist-to', directory) }
  })
  await Promise.all(servers.map(({ port, start }) => serving(port, start)))
  for (const [index, { port, directory, start }] of servers.entries()) {
    const claim = await claimOf(directory)
    const metadata = await fetch(`http://localhost:${port}/.well-known/oauth-authorization-server`)
    expect(await metadata.json()).toMatchObject({ issuer: `http://localhost:${port}` })
    process.kill(claim.script.pid, index === 0 ? 'SIGTERM' : 'SIGINT')
    expect(await start.exit).toBe(0)
    await ended(claim.script.pid, claim.server.pid, claim.workerd.pid)
    expect(existsSync(path.join(directory, 'start.json'))).toBe(false)
    expect(start.output()).not.toContain('ADMIN_TOKEN=')
  }
})

describe('the same port and directory', () => {
  let port = 0
  let directory: string
  let latest: Started
  const start = async () => {
    latest = npmStart('--port', `${port}`, '--persist-to', directory)
    await serving(port, latest)
    return { start: latest, claim: await claimOf(directory) }
  }
  beforeAll(async () => {
    ;[port = 0] = await freePorts(1)
    directory = path.join(root, 'crash')
  })
  afterAll(async () => {
    const { script, workerd } = await claimOf(directory)
    process.kill(script.pid, 'SIGTERM')
    expect(await latest.exit).toBe(0)
    await ended(workerd.pid)
  })

  test('are refused to a second start while the first one serves', async () => {
    const { claim } = await start()
    const second = npmStart('--port', `${port}`, '--persist-to', directory)
    expect(await second.exit).toBe(1)
    expect(second.output().trim()).toBe(`The state in ${directory} is already served on port ${port} by process ${claim.script.pid}.`)
    expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200)
    process.kill(claim.script.pid, 'SIGTERM')
    expect(await latest.exit).toBe(0)
  })

  const tokens = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const reply = await fetch(`http://localhost:${port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: reply.status, body: (await reply.json()) as { refresh_token: string } }
  }

  test.each(['npm', 'script', 'server', 'workerd', 'group'] as const)(
    'start again after a kill -9 of %s, with the same sessions',
    async (victim) => {
      const { start: first, claim } = await start()
      const account = { email: `${victim}@example.com`, password: 'a long enough secret phrase', use: 'tokens' }
      const signUp = await tokens('/api/sign-up', account)
      expect(signUp.status).toBe(201)
      if (victim === 'npm') process.kill(first.pid, 'SIGKILL')
      else if (victim === 'group') process.kill(-first.pid, 'SIGKILL')
      else process.kill(claim[victim].pid, 'SIGKILL')
      await first.exit
      const { claim: next } = await start()
      await ended(claim.script.pid, claim.server.pid, claim.workerd.pid)
      expect((await tokens('/api/refresh', { refresh_token: signUp.body.refresh_token })).status).toBe(200)
      expect(isAlive(next.workerd.pid)).toBe(true)
      process.kill(next.script.pid, 'SIGTERM')
      expect(await latest.exit).toBe(0)
    },
  )

  test('start again after script, server and npm were killed at once and left workerd serving', async () => {
    const { start: first, claim } = await start()
    for (const pid of [claim.server.pid, claim.script.pid, first.pid]) process.kill(pid, 'SIGKILL')
    await first.exit
    expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200)
    const { claim: next } = await start()
    await ended(claim.workerd.pid)
    expect(next.workerd.pid).not.toBe(claim.workerd.pid)
  })

  test('are free again soon after npm alone was killed', async () => {
    const before = await claimOf(directory)
    process.kill(before.script.pid, 'SIGTERM')
    await latest.exit
    const { start: first, claim } = await start()
    process.kill(first.pid, 'SIGKILL')
    await ended(claim.script.pid, claim.server.pid, claim.workerd.pid)
    expect(existsSync(path.join(directory, 'start.json'))).toBe(false)
    await start()
  })
})
