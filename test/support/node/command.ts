/** The command `sallyport`, run as a person or a script runs it, with a home of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { NODE, ROOT, toolEnvironment } from '../../../scripts/toolchain.mjs'
import type { CredentialsFile } from '../../../src/cli/credentials.ts'

export type Ran = { code: number | null; stdout: string; stderr: string }
export type Running = { ended: Promise<Ran> /** Resolves when it has said this. */; said(pattern: RegExp): Promise<RegExpMatchArray> }

export type Home = ReturnType<typeof homeAt>

export const newHome = async () => homeAt(await mkdtemp(path.join(tmpdir(), 'sallyport-home-')))

function homeAt(directory: string) {
  const kept = path.join(directory, 'sallyport')
  const file = path.join(kept, 'credentials.json')
  const read = async (): Promise<CredentialsFile> => JSON.parse(await readFile(file, 'utf8'))
  return {
    start: (...args: string[]) => start(directory, args),
    run: (...args: string[]) => start(directory, args).ended,
    read,
    async change(act: (file: CredentialsFile) => void): Promise<void> {
      const credentials = await read()
      act(credentials)
      await writeFile(file, JSON.stringify(credentials))
    },
    credentials: file,
    lock: path.join(kept, 'credentials.lock'),
    /** Permissions of the directory and of the file. */
    modes: () => Promise.all([kept, file].map(async (name) => (await stat(name)).mode & 0o777)),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

function start(home: string, args: string[]): Running {
  const child = spawn(NODE, ['--no-warnings', path.join(ROOT, 'src/cli/sallyport.ts'), ...args], {
    env: toolEnvironment({ XDG_CONFIG_HOME: home, SALLYPORT_ISSUER: '' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const heard = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      heard[stream] += text
    })
  }
  const ended = once(child, 'close').then(([code]): Ran => ({ code, ...heard }))
  const said = async (pattern: RegExp): Promise<RegExpMatchArray> => {
    for (;;) {
      const found = heard.stderr.match(pattern)
      if (found) return found
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${heard.stderr}`)
      await Promise.race([once(child.stderr, 'data'), once(child, 'close')])
    }
  }
  return { ended, said }
}
