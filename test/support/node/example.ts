// An example, started by its one command on free ports.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { NODE, ROOT, toolEnvironment } from '../../../scripts/toolchain.mjs'
import { freePorts } from './server.ts'

export type Example = {
  sallyport: string
  notesApi: string
  nodeApi: string
  browserApp: string
  /** The resource: `…/mcp`. */
  mcpServer: string
  adminToken: string
  /** Stops it as Ctrl-C does, and answers its exit code. */
  stop(): Promise<number | null>
}

export async function startExample(name: 'notes-api' | 'node-api' | 'browser-app' | 'mcp-server'): Promise<Example> {
  const ports = await freePorts(5)
  const adminToken = 'an-operator-token-of-the-example-tests'
  const child = spawn(NODE, [path.join(ROOT, 'scripts/example.mjs'), name, '--ports', ports.join()], {
    env: toolEnvironment({ ADMIN_TOKEN: adminToken }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (text: string) => {
    output += text
  }
  child.stderr.setEncoding('utf8').on('data', collect)
  const ended = once(child, 'exit')
  const ready = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      collect(text)
      if (output.includes('Ctrl-C')) resolve()
    })
  })
  await Promise.race([ready, ended])
  if (child.exitCode !== null) throw new Error(`The example ended with ${child.exitCode}: ${output}`)
  const [sallyport = '', notesApi = '', nodeApi = '', browserApp = '', mcp = ''] = ports.map((port) => `http://localhost:${port}`)
  return {
    sallyport,
    notesApi,
    nodeApi,
    browserApp,
    mcpServer: `${mcp}/mcp`,
    adminToken,
    async stop() {
      child.kill('SIGTERM')
      const [code] = await ended
      return code
    },
  }
}
