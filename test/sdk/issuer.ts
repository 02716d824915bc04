import { encodeBase64url } from '../../src/protocol/base64url.ts'
import type { Denial } from '../../src/protocol/denial.ts'
import { encodeFeed, encodeSegments, type FeedHeader, parseCursor } from '../../src/protocol/feed.ts'
import {
  createVerifier,
  type Fetch,
  type LiveAnswer,
  TokenError,
  type TokenErrorCode,
  type Verifier,
  type VerifierBinding,
  type VerifierOptions,
} from '../../src/sdk/index.ts'

export const ISSUER = 'https://auth.example'
export const START = 1_800_000_000
const EPOCH = '00000000000000e1'

const utf8 = new TextEncoder()
export const part = (value: unknown): string => encodeBase64url(utf8.encode(typeof value === 'string' ? value : JSON.stringify(value)))

export type SigningKey = { kid: string; alg: string; privateKey: CryptoKey; jwk: Record<string, unknown> }

const generation = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' },
} as const

const signing = { ES256: { name: 'ECDSA', hash: 'SHA-256' }, EdDSA: { name: 'Ed25519' }, RS256: { name: 'RSASSA-PKCS1-v1_5' } } as const

export type Alg = keyof typeof generation

/** A key pair of the issuer's, as it stands in the JWKS. */
export async function makeKey(kid: string, alg: Alg = 'ES256'): Promise<SigningKey> {
  const pair = await crypto.subtle.generateKey(generation[alg], true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('no key pair')
  const { kty, crv, x, y, n, e } = Object.fromEntries(Object.entries(await crypto.subtle.exportKey('jwk', pair.publicKey)))
  return { kid, alg, privateKey: pair.privateKey, jwk: { kty, crv, x, y, n, e, kid, alg, use: 'sig' } }
}

export async function sign(key: SigningKey, signed: string, alg: Alg = 'ES256'): Promise<string> {
  const signature = await crypto.subtle.sign(signing[alg], key.privateKey, utf8.encode(signed))
  return `${signed}.${encodeBase64url(new Uint8Array(signature))}`
}

/** A token with any header and payload, signed well. */
export const signToken = (key: SigningKey, header: unknown, payload: unknown, alg: Alg = 'ES256'): Promise<string> =>
  sign(key, `${part(header)}.${part(payload)}`, alg)

export const claimsAt = (now: number, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: ISSUER,
  sub: 'account-1',
  aud: ISSUER,
  exp: now + 300,
  iat: now,
  jti: `jti-${crypto.randomUUID()}`,
  client_id: 'first-party',
  scope: 'openid notes:read',
  ver: 3,
  sid: 'session-1',
  auth_time: now,
  acr: '1',
  amr: ['pwd'],
  roles: ['member'],
  ...more,
})

/** An issuer that runs in the test: a key set, a revocation list and a clock, each of which can be broken. */
export class Issuer implements VerifierBinding {
  nowMs = START * 1000
  keys: Record<string, unknown>[]
  /** What each call does besides answering: throw, or wait. */
  onJwks: () => Promise<void> = async () => {}
  onFeed: () => Promise<void> = async () => {}
  onCheck: () => Promise<LiveAnswer> = async () => ({ active: true })
  /** The feed's answer comes out of a cache that is this old. */
  feedDelayMs = 0
  header: FeedHeader = {
    snapshot: true,
    epoch: EPOCH,
    epochStart: (START - 1000) * 1000,
    asOf: 0,
    sequence: 0,
    key: Uint8Array.from({ length: 16 }, (_, i) => i),
  }
  calls = { jwks: 0, feed: 0, check: 0 }
  asked: (string | null)[] = []
  /** The keys that each `check` was to speak for. */
  doubted: (string | undefined)[] = []
  readonly signingKey: SigningKey
  #log: { sequence: number; segment: Uint8Array }[] = []

  constructor(signingKey: SigningKey) {
    this.signingKey = signingKey
    this.keys = [signingKey.jwk]
  }

  get now(): number {
    return Math.floor(this.nowMs / 1000)
  }

  advance(ms: number): void {
    this.nowMs += ms
  }

  verifier(options: Partial<VerifierOptions> = {}): Verifier {
    return createVerifier({ issuer: ISSUER, audience: ISSUER, binding: this, nowMs: () => this.nowMs, ...options })
  }

  /** A verifier without a binding: it asks by HTTP, which this issuer answers itself. */
  httpVerifier(options: Partial<VerifierOptions> = {}): Verifier {
    return createVerifier({ issuer: ISSUER, audience: ISSUER, fetch: this.fetch, nowMs: () => this.nowMs, ...options })
  }

  readonly fetch: Fetch = async (address) => {
    const url = new URL(address)
    if (url.pathname === '/.well-known/jwks.json') {
      return new Response(JSON.stringify(await this.jwks()), { headers: { 'content-type': 'application/jwk-set+json' } })
    }
    if (url.pathname !== '/revocations') return new Response(null, { status: 404 })
    const bytes = await this.revocations(url.searchParams.get('after'))
    return new Response(bytes.slice(), { headers: { 'content-type': 'application/octet-stream' } })
  }

  token(more: Record<string, unknown> = {}): Promise<string> {
    return signToken(this.signingKey, { alg: 'ES256', kid: this.signingKey.kid, typ: 'at+jwt' }, claimsAt(this.now, more))
  }

  deny(...denials: Denial[]): void {
    this.header.sequence++
    this.#log.push({ sequence: this.header.sequence, segment: encodeSegments(this.header.key, denials) })
  }

  /** The list loses everything, and says so by a new epoch. */
  newEpoch(epoch: string): void {
    this.header = { ...this.header, epoch, epochStart: this.nowMs, sequence: 0, key: crypto.getRandomValues(new Uint8Array(16)) }
    this.#log = []
  }

  /** The list goes back to what it was before the last denials, and does not notice. */
  rollBack(sequence: number): void {
    this.header.sequence = sequence
    this.#log = this.#log.filter((entry) => entry.sequence <= sequence)
  }

  async jwks(): Promise<{ keys: object[] }> {
    this.calls.jwks++
    const keys = this.keys
    await this.onJwks()
    return { keys }
  }

  async revocations(after: string | null): Promise<Uint8Array> {
    this.calls.feed++
    this.asked.push(after)
    const cursor = after === null ? null : parseCursor(after)
    const since = cursor?.epoch === this.header.epoch ? cursor.sequence : null
    const segments = this.#log.filter((entry) => entry.sequence > (since ?? 0)).map((entry) => entry.segment)
    const answer = encodeFeed({ ...this.header, snapshot: since === null, asOf: this.nowMs - this.feedDelayMs }, segments)
    await this.onFeed()
    return answer
  }

  /** As the real one: it speaks for the key as well where it is asked to. */
  async check(_token: string, _claims: object, doubtedKid?: string): Promise<LiveAnswer> {
    this.calls.check++
    this.doubted.push(doubtedKid)
    if (doubtedKid === undefined) return this.onCheck()
    await this.onJwks()
    const isPublished = this.keys.some((key) => 'kid' in key && key.kid === doubtedKid)
    return isPublished ? this.onCheck() : { active: false, error: 'revoked' }
  }
}

export const forever = (): Promise<never> => new Promise(() => {})
export const fail = (): Promise<never> => Promise.reject(new Error('out of reach'))
export const end = (issuer: Issuer): number => issuer.now + 310

/** The code with which something was refused, or "accepted". */
export async function codeOf(attempt: Promise<unknown>): Promise<TokenErrorCode | 'accepted'> {
  try {
    await attempt
    return 'accepted'
  } catch (error) {
    if (error instanceof TokenError) return error.code
    throw error
  }
}
