import { exports } from 'cloudflare:workers'
import { expect, test, vi } from 'vitest'
import { createVerifier } from '../../../src/sdk/index.ts'
import { type Socket, websocketFeed } from '../../../src/sdk/websocket.ts'
import { codeOf } from '../issuer.ts'

const ORIGIN = 'http://localhost:8787'

/** A WebSocket to the Worker of this test: what `new WebSocket(url)` is elsewhere. */
function connect(url: string): Socket {
  const waiting: [string, (event: object) => void][] = []
  let opened: WebSocket | null = null
  const opening = async (): Promise<void> => {
    const request = new Request(url.replace(/^ws/, 'http'), { headers: { upgrade: 'websocket' } })
    const { webSocket } = await exports.default.fetch(request)
    if (webSocket === null) throw new Error('no upgrade')
    for (const [type, listener] of waiting) {
      if (type === 'message') webSocket.addEventListener('message', listener)
      else webSocket.addEventListener('close', listener)
    }
    webSocket.binaryType = 'arraybuffer'
    webSocket.accept()
    opened = webSocket
  }
  void opening()
  return {
    binaryType: '',
    get readyState() {
      return opened?.readyState ?? 0
    },
    send: (text) => opened?.send(text),
    close: () => opened?.close(),
    addEventListener: (type, listener) => void waiting.push([type, listener]),
  }
}

const send = (path: string, body: object): Promise<Response> =>
  exports.default.fetch(
    new Request(`${ORIGIN}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  )

test('a verifier with a pushed feed of the running Worker refuses a signed-out token as soon as the sign-out is acknowledged', async () => {
  let polls = 0
  const verifier = createVerifier({
    issuer: ORIGIN,
    audience: ORIGIN,
    feed: websocketFeed({ connect }),
    fetch: (url, { headers }) => {
      if (url.includes('/revocations')) polls++
      return exports.default.fetch(new Request(url, { headers }))
    },
  })
  const made = await send('/api/sign-up', { email: 'pushed@example.com', password: 'violet-otter-41-lantern', use: 'tokens' })
  const { access_token, refresh_token } = await made.json<{ access_token: string; refresh_token: string }>()
  await expect.poll(() => codeOf(verifier.verifyToken(access_token)), { timeout: 5000 }).toBe('accepted')
  // From here on the feed comes through the socket alone.
  await new Promise((resolve) => setTimeout(resolve, 1200))
  polls = 0
  expect((await send('/api/sign-out', { refresh_token })).status).toBe(204)
  await expect.poll(() => codeOf(verifier.verifyToken(access_token)), { timeout: 3000, interval: 5 }).toBe('token_revoked')
  expect(polls).toBe(0)
  verifier.close()
}, 15_000)

test('a verifier with the RPC entrypoint as its binding asks live, and refuses a signed-out token on the next request', async () => {
  const verifier = createVerifier({ issuer: ORIGIN, audience: ORIGIN, binding: exports.Verifier, freshness: 'live' })
  const made = await send('/api/sign-up', { email: 'bound@example.com', password: 'violet-otter-41-lantern', use: 'tokens' })
  const { access_token, refresh_token } = await made.json<{ access_token: string; refresh_token: string }>()
  expect(await verifier.verifyToken(access_token)).toMatchObject({ freshness: 'live' })
  expect((await send('/api/sign-out', { refresh_token })).status).toBe(204)
  expect(await codeOf(verifier.verifyToken(access_token))).toBe('token_revoked')
})

test('a token that has expired by the issuer’s clock alone is to be renewed: nobody is told that it was revoked', async () => {
  const made = await send('/api/sign-up', { email: 'late@example.com', password: 'violet-otter-41-lantern', use: 'tokens' })
  const { access_token } = await made.json<{ access_token: string }>()
  const nowMs = Date.now()
  const verifier = createVerifier({ issuer: ORIGIN, audience: ORIGIN, binding: exports.Verifier, freshness: 'live', nowMs: () => nowMs })
  expect(await codeOf(verifier.verifyToken(access_token))).toBe('accepted')
  vi.useFakeTimers({ toFake: ['Date'], now: nowMs + 301_000 })
  try {
    expect(await codeOf(verifier.verifyToken(access_token))).toBe('token_outdated')
  } finally {
    vi.useRealTimers()
  }
})
