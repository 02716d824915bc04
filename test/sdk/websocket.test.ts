import { afterEach, describe, expect, test } from 'vitest'
import type { Denial } from '../../src/protocol/denial.ts'
import { encodeFeed, encodeSegments } from '../../src/protocol/feed.ts'
import { type Socket, websocketFeed } from '../../src/sdk/websocket.ts'
import { codeOf, end, ISSUER, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')
const EPOCH = '00000000000000e1'

/** The server's end of a socket, in the test's hands. */
class FakeSocket implements Socket {
  binaryType = 'blob'
  readyState = 0
  sent: string[] = []
  closed = false
  readonly madeMs = Date.now()
  readonly url: string
  #listeners = new Map<string, (event: object) => void>()

  constructor(url: string) {
    this.url = url
  }

  send(text: string): void {
    this.sent.push(text)
  }

  close(): void {
    this.closed = true
  }

  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.set(type, listener)
  }

  emit(type: 'message' | 'close' | 'error', event: object = {}): void {
    this.#listeners.get(type)?.(event)
  }

  /** One binary message. */
  tell(bytes: Uint8Array): void {
    this.readyState = 1
    this.emit('message', { data: bytes.slice().buffer })
  }
}

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A verifier with a pushed feed, and what happens at the other end. */
function pushed() {
  const issuer = new Issuer(signingKey)
  const sockets: FakeSocket[] = []
  const connect = (url: string): Socket => {
    const socket = new FakeSocket(url)
    sockets.push(socket)
    return socket
  }
  const verifier = issuer.httpVerifier({ feed: websocketFeed({ connect, random: () => 0 }) })
  closing.push(() => verifier.close())
  const socket = (at = 0): FakeSocket => {
    const made = sockets[at]
    if (made === undefined) throw new Error('no such socket')
    return made
  }
  /** What the server pushes for the next batch. */
  const step = (denials: Denial[]): Uint8Array => {
    issuer.deny(...denials)
    const { header } = issuer
    return encodeFeed({ ...header, snapshot: false, asOf: issuer.nowMs }, [encodeSegments(header.key, denials)])
  }
  return { issuer, verifier, sockets, socket, step }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const sid = (issuer: Issuer, id: string): Denial => ({ kind: 'sid', id, end: end(issuer) })

describe('a pushed feed', () => {
  test('begins when the verifier is made, at the issuer’s address, and answers in place of polling', async () => {
    const { issuer, verifier, socket } = pushed()
    expect(socket().url).toBe(`${ISSUER.replace('https', 'wss')}/revocations`)
    expect(socket().binaryType).toBe('arraybuffer')
    socket().tell(await issuer.revocations(null))
    issuer.calls.feed = 0
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh', viewAgeMs: 0 })
    issuer.advance(3000)
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh', viewAgeMs: 3000 })
    expect(issuer.calls.feed).toBe(0)
  })

  test('denies at once, by a step that proves no age', async () => {
    const { issuer, verifier, socket, step } = pushed()
    const token = await issuer.token()
    socket().tell(await issuer.revocations(null))
    await verifier.verifyToken(token)
    issuer.advance(700)
    socket().tell(step([sid(issuer, 'session-1')]))
    expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    expect(await verifier.verifyToken(await issuer.token({ sid: 'session-2' }))).toMatchObject({ viewAgeMs: 700, cursor: `${EPOCH}.1` })
  })

  test('sends its cursor once a second, and an answer makes the view new', async () => {
    const { issuer, verifier, socket } = pushed()
    socket().tell(await issuer.revocations(null))
    issuer.advance(1000)
    await expect.poll(() => socket().sent.length, { timeout: 3000 }).toBeGreaterThan(0)
    expect(socket().sent[0]).toBe(`${EPOCH}.0`)
    issuer.advance(50)
    socket().tell(await issuer.revocations(`${EPOCH}.0`))
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ viewAgeMs: 50 })
  })

  test('that misses a step asks for a snapshot at once, once, and takes nothing that may have a gap', async () => {
    const { issuer, verifier, socket, step } = pushed()
    const tokens = [await issuer.token({ sid: 'lost' }), await issuer.token({ sid: 'late' })]
    socket().tell(await issuer.revocations(null))
    step([sid(issuer, 'lost')])
    socket().tell(step([sid(issuer, 'late')]))
    socket().tell(step([sid(issuer, 'later')]))
    expect(socket().sent).toEqual([''])
    expect((await verifier.verifyToken(await issuer.token())).cursor).toBe(`${EPOCH}.0`)
    socket().tell(await issuer.revocations(null))
    for (const token of tokens) expect(await codeOf(verifier.verifyToken(token))).toBe('token_revoked')
    expect((await verifier.verifyToken(await issuer.token())).cursor).toBe(`${EPOCH}.3`)
  })

  test('takes steps that a poll has already brought, and is not led back by them', async () => {
    const { issuer, verifier, socket, step } = pushed()
    socket().tell(await issuer.revocations(null))
    const steps = [step([sid(issuer, 'a')]), step([sid(issuer, 'b')])]
    issuer.advance(6000)
    expect((await verifier.verifyToken(await issuer.token())).cursor).toBe(`${EPOCH}.2`)
    for (const one of steps) socket().tell(one)
    const answer = await verifier.verifyToken(await issuer.token())
    expect(answer).toMatchObject({ freshness: 'fresh', cursor: `${EPOCH}.2` })
    expect(socket().sent).toEqual([])
  })

  test('of a new epoch is asked for whole', async () => {
    const { issuer, verifier, socket, step } = pushed()
    socket().tell(await issuer.revocations(null))
    issuer.advance(1000)
    issuer.newEpoch('00000000000000e2')
    socket().tell(step([sid(issuer, 'session-1')]))
    expect(socket().sent).toEqual([''])
    socket().tell(await issuer.revocations(null))
    issuer.advance(1000)
    expect(await codeOf(verifier.verifyToken(await issuer.token()))).toBe('token_revoked')
    expect((await verifier.verifyToken(await issuer.token({ sid: 'other' }))).cursor).toBe('00000000000000e2.1')
  })
})

describe('a socket that is down', () => {
  test('is polled around, and tried again within 0.5 to 10 s', async () => {
    const { issuer, verifier, sockets, socket } = pushed()
    socket().tell(await issuer.revocations(null))
    const downMs = Date.now()
    socket().emit('close', { code: 1006 })
    socket().emit('error')
    issuer.advance(1001)
    issuer.calls.feed = 0
    await verifier.verifyToken(await issuer.token())
    expect(issuer.calls.feed).toBe(1)
    await expect.poll(() => sockets.length, { timeout: 4000 }).toBe(2)
    expect(socket(1).madeMs - downMs).toBeGreaterThanOrEqual(490)
    expect(socket(1).url).toBe(`${ISSUER.replace('https', 'wss')}/revocations?after=${EPOCH}.0`)
  })

  test('because there are too many is not tried again for long', async () => {
    const { sockets, socket } = pushed()
    socket().emit('close', { code: 1013 })
    await wait(1500)
    expect(sockets).toHaveLength(1)
  })

  test.each<[string, unknown]>([
    ['text', 'text'],
    ['garbage', new Uint8Array(100).buffer],
  ])('after it said %s', async (_name, data) => {
    const { socket } = pushed()
    socket().emit('message', { data })
    expect(socket().closed).toBe(true)
  })

  test('because nothing comes any more is found out within four seconds', async () => {
    const { issuer, socket, sockets } = pushed()
    socket().tell(await issuer.revocations(null))
    await expect.poll(() => socket().closed, { timeout: 8000 }).toBe(true)
    expect(socket().sent.length).toBeGreaterThanOrEqual(2)
    await expect.poll(() => sockets.length, { timeout: 4000 }).toBe(2)
  }, 15_000)

  test('because it cannot even be made does not stop the verifier', async () => {
    const issuer = new Issuer(signingKey)
    const connect = (): Socket => {
      throw new Error('no sockets here')
    }
    const verifier = issuer.httpVerifier({ feed: websocketFeed({ connect }) })
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh' })
    verifier.close()
  })

  test('after close() stays down, and the verifier goes on by polling', async () => {
    const { issuer, verifier, sockets, socket } = pushed()
    verifier.close()
    expect(socket().closed).toBe(true)
    socket().emit('close', { code: 1000 })
    await wait(800)
    expect(sockets).toHaveLength(1)
    expect(await verifier.verifyToken(await issuer.token())).toMatchObject({ freshness: 'fresh' })
  })
})
