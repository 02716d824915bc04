import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeKey } from '../issuer.ts'
import { FakeIssuer } from './fake-issuer.ts'
import { acceptSocket } from './socket-server.ts'

const SDK = path.join(import.meta.dirname, '../../../src/sdk')
const issuer = new FakeIssuer(await makeKey('k1'))

beforeAll(async () => {
  issuer.onUpgrade = (request, raw) => {
    const socket = acceptSocket(request, raw, () => {})
    void issuer.feed(null).then((bytes) => socket.send(bytes))
  }
  await issuer.start()
})
afterAll(() => issuer.stop())

/** Runs a program that verifies one token, in a Node of its own: what it printed, and how long it took to end by itself. */
async function run(feed: string, last: string): Promise<{ stdout: string; ms: number }> {
  const program = `
    import { createVerifier } from ${JSON.stringify(`${SDK}/index.ts`)}
    import { websocketFeed } from ${JSON.stringify(`${SDK}/websocket.ts`)}
    const [issuer, token] = process.argv.slice(1)
    const verifier = createVerifier({ issuer, audience: issuer, feed: ${feed} })
    const { freshness } = await verifier.verifyToken(token)
    console.log(freshness)
    ${last}`
  const started = Date.now()
  const flags = ['--no-warnings', '--experimental-strip-types', '--input-type=module', '-e', program]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, issuer.origin, await issuer.token()], { timeout: 8000 })
  return { stdout: stdout.trim(), ms: Date.now() - started }
}

test('a polled verifier keeps no process alive', async () => {
  const { stdout, ms } = await run("'poll'", '')
  expect(stdout).toBe('fresh')
  expect(ms).toBeLessThan(4000)
}, 10_000)

test('nor does a pushed one, once it is closed', async () => {
  const { stdout, ms } = await run('websocketFeed()', 'setTimeout(() => verifier.close(), 300)')
  expect(stdout).toBe('fresh')
  expect(ms).toBeLessThan(4000)
}, 10_000)

test('nor one whose socket cannot be had', async () => {
  const { stdout, ms } = await run("websocketFeed({ connect: () => { throw new Error('none') } })", '')
  expect(stdout).toBe('fresh')
  expect(ms).toBeLessThan(4000)
}, 10_000)
