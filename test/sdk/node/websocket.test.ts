import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Denial } from '../../../src/protocol/denial.ts'
import { encodeFeed, encodeSegments } from '../../../src/protocol/feed.ts'
import type { Verifier } from '../../../src/sdk/index.ts'
import { websocketFeed } from '../../../src/sdk/websocket.ts'
import { codeOf, makeKey } from '../issuer.ts'
import { FakeIssuer } from './fake-issuer.ts'
import { acceptSocket, type ServerSocket } from './socket-server.ts'

const signingKey = await makeKey('k1')
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let issuer: FakeIssuer
let verifier: Verifier
let sockets: ServerSocket[]
let asked: string[]
let doors: 'open' | 'shut'

beforeEach(async () => {
  sockets = []
  asked = []
  doors = 'open'
  issuer = new FakeIssuer(signingKey)
  issuer.onUpgrade = (request, raw) => {
    if (doors === 'shut') {
      raw.destroy()
      return
    }
    const answer = async (after: string): Promise<void> => socket.send(await issuer.feed(after === '' ? null : after))
    const socket = acceptSocket(request, raw, (text) => {
      asked.push(text)
      void answer(text)
    })
    sockets.push(socket)
    void answer(new URL(request.url ?? '', issuer.origin).searchParams.get('after') ?? '')
  }
  await issuer.start()
  verifier = issuer.verifier({ feed: websocketFeed() })
})

afterEach(async () => {
  verifier.close()
  await issuer.stop()
})

/** Denies, and pushes the step as the list does. */
function deny(id: string): void {
  const denial: Denial = { kind: 'sid', id, end: Math.floor(Date.now() / 1000) + 310 }
  issuer.list.deny(denial)
  const { header } = issuer.list
  const message = encodeFeed({ ...header, snapshot: false, asOf: Date.now() }, [encodeSegments(header.key, [denial])])
  for (const socket of sockets) socket.send(message)
}

test('with the WebSocket of the runtime: a denial is in effect within milliseconds, and nothing is polled', async () => {
  await expect.poll(() => asked.length, { timeout: 3000 }).toBeGreaterThan(0)
  const tokens = await Promise.all(Array.from({ length: 50 }, (_, i) => issuer.token({ sid: `s${i}` })))
  for (const token of tokens) await verifier.verifyToken(token)
  const times: number[] = []
  for (const [i, token] of tokens.entries()) {
    const started = performance.now()
    deny(`s${i}`)
    while ((await codeOf(verifier.verifyToken(token))) === 'accepted') await wait(1)
    times.push(performance.now() - started)
  }
  times.sort((a, b) => a - b)
  expect(times[25]).toBeLessThan(100)
  expect(issuer.requests.feed).toBe(0)
})

test('through lost sockets: what was denied meanwhile is refused, by polling first and by the new socket then', async () => {
  await expect.poll(() => asked.length, { timeout: 3000 }).toBeGreaterThan(0)
  const token = await issuer.token({ sid: 'gone' })
  await verifier.verifyToken(token)
  doors = 'shut'
  for (const socket of sockets.splice(0)) socket.destroy()
  deny('gone')
  await expect.poll(() => codeOf(verifier.verifyToken(token)), { timeout: 5000 }).toBe('token_revoked')
  expect(issuer.requests.feed).toBeGreaterThan(0)
  doors = 'open'
  await expect.poll(() => sockets.length, { timeout: 12_000 }).toBe(1)
  const late = await issuer.token({ sid: 'late' })
  await expect.poll(() => codeOf(verifier.verifyToken(late))).toBe('accepted')
  const polls = issuer.requests.feed
  deny('late')
  await expect.poll(() => codeOf(verifier.verifyToken(late)), { timeout: 3000 }).toBe('token_revoked')
  expect(issuer.requests.feed).toBe(polls)
}, 20_000)

test('at a server that has too many it polls', async () => {
  await expect.poll(() => sockets.length).toBe(1)
  sockets[0]?.close(1013)
  await wait(200)
  const before = issuer.requests.feed
  await wait(1100)
  await verifier.verifyToken(await issuer.token())
  await expect.poll(() => issuer.requests.feed).toBeGreaterThan(before)
  expect(sockets).toHaveLength(1)
})
