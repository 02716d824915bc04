// `sallyport/dpop`: services that accept access tokens bound to a key (RFC 9449 7). A stolen one is worth nothing without the key.

import { MAX_BEARER_LENGTH } from '../protocol/bearer.ts'
import { boundedMap } from './bounded-map.ts'
import type { VerifiedToken, Verifier, VerifyCall } from './create-verifier.ts'
import { checkDpopProof, DPOP_ALGORITHMS, type DpopProof } from './dpop-proof.ts'
import { TokenError } from './token-error.ts'

/** The parts of a request that are read. Every `Request` has them; with `origin`, `url` may be a path, as Node's are. */
export type DpopRequest = { readonly method: string; readonly url: string; readonly headers: { get(name: string): string | null } }

/** What a proof is remembered by: the thumbprint of its key, and its `jti`, until `expires_at` (seconds since 1970). */
export type SeenProof = Pick<DpopProof, 'jkt' | 'jti' | 'expires_at'>

export type DpopOptions = {
  /** Judges the access tokens. It refuses bound ones that come as plain bearer tokens. */
  verifier: Verifier
  /** The origin that clients know this service by, where requests do not say: behind a proxy, or in Node. */
  origin?: string
  /**
   * Remembers a proof; answers whether it is seen for the first time. Default: the memory of this process or isolate, which others do not
   * share, so that a proof may pass once in each. Exact replay protection needs a store that all share.
   */
  remember?: (proof: SeenProof) => boolean | Promise<boolean>
  /** How many proofs the default memory holds; the oldest go first. Default 20,000. */
  memory?: number
  /** The clock, in milliseconds since 1970. For tests. */
  nowMs?: () => number
}

export type DpopVerifier = {
  /** The verified token of a request with `Authorization: DPoP` and its proof. Rejects with `DpopError`. */
  verify(request: DpopRequest, call?: Omit<VerifyCall, 'boundTo'>): Promise<VerifiedToken>
  /** As the verifier has it: for challenges that others make. */
  readonly resourceMetadata: string | undefined
}

/** A refusal whose challenge asks for DPoP (RFC 9449 7.1). Otherwise a `TokenError` like any. */
export class DpopError extends TokenError {
  override readonly challenge: string | undefined

  /** `error` replaces the code of the challenge, where the proof is at fault. */
  constructor(refusal: TokenError, error?: 'invalid_dpop_proof') {
    super(refusal.code, refusal.reason)
    const rest = refusal.challenge?.slice('Bearer'.length).replace(/^ error="[^"]*"/, (found) => (error ? ` error="${error}"` : found))
    this.challenge = rest === undefined ? undefined : `DPoP${rest}${rest && ','} algs="${DPOP_ALGORITHMS.join(' ')}"`
  }
}

const dpopHeader = /^dpop +([A-Za-z0-9\-._~+/]+=*)$/i

/** Makes a verifier of bound tokens out of one of bearer tokens. Throws TypeError naming the option that is wrong. */
export function dpopVerifier(options: DpopOptions): DpopVerifier {
  const { verifier, origin, memory = 20_000, nowMs = () => Date.now() } = options
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).origin !== origin)) {
    throw new TypeError('origin: needs an origin, without a trailing slash')
  }
  if (!Number.isSafeInteger(memory) || memory < 1) throw new TypeError('memory: needs a whole number from 1')
  const remember = options.remember ?? proofMemory(memory, nowMs)
  const { resourceMetadata } = verifier
  const refusal = (code: 'token_missing' | 'token_malformed' | 'token_invalid', reason: string, error?: 'invalid_dpop_proof') =>
    new DpopError(new TokenError(code, reason, { resource_metadata: resourceMetadata }), error)

  return {
    resourceMetadata,
    async verify(request, call = {}) {
      const header = request.headers.get('authorization')
      if (header === null || !/^dpop(?: |$)/i.test(header)) throw refusal('token_missing', 'no Authorization: DPoP')
      const token = header.length > MAX_BEARER_LENGTH + 'DPoP '.length ? undefined : dpopHeader.exec(header)?.[1]
      if (token === undefined) throw refusal('token_malformed', 'not a token68')
      const proof = request.headers.get('dpop')
      if (proof === null) throw refusal('token_invalid', 'no proof', 'invalid_dpop_proof')
      const { method } = request
      const url = addressOf(request.url, origin)
      const check = await checkDpopProof(proof, { now: Math.floor(nowMs() / 1000), method, url, accessToken: token })
      if (!check.ok) throw refusal('token_invalid', `proof: ${check.reason}`, 'invalid_dpop_proof')
      const { jkt, jti, expires_at } = check
      const verified = await verifier.verifyToken(token, { ...call, boundTo: jkt }).catch((error: unknown) => {
        throw error instanceof TokenError ? new DpopError(error) : error
      })
      // Last, so that only who has a good token can fill the memory.
      if (!(await remember({ jkt, jti, expires_at }))) throw refusal('token_invalid', 'proof: seen before', 'invalid_dpop_proof')
      return verified
    },
  }
}

/** The address that the client asked for. */
function addressOf(url: string, origin: string | undefined): string {
  if (origin === undefined) return url
  // Joined, not resolved: a path that begins with two slashes is no host.
  if (url.startsWith('/')) return `${origin}${url}`
  return URL.canParse(url) ? `${origin}${new URL(url).pathname}` : url
}

/** Check and mark are one step, so that of two requests at once one passes. */
function proofMemory(limit: number, nowMs: () => number): (proof: SeenProof) => boolean {
  const seen = boundedMap<number>(limit)
  return ({ jkt, jti, expires_at }) => {
    const key = `${jkt}.${jti}`
    const until = seen.get(key)
    if (until !== undefined && until > Math.floor(nowMs() / 1000)) return false
    seen.set(key, expires_at)
    return true
  }
}
