// Verifies access tokens (RFC 9068) of one issuer, and refuses revoked ones without asking for each. RFC 6750 says how.

import { findBearer, isB64token } from '../protocol/bearer.ts'
import type { AccessTokenClaims } from '../protocol/claims.ts'
import type { WaitUntil } from './binding.ts'
import { checkClaims } from './check-claims.ts'
import type { DenialView } from './denial-view.ts'
import { type KeyCache, keyCache } from './key-cache.ts'
import { type KnownToken, knownToken } from './known-token.ts'
import { type LiveCheck, liveCheck } from './live-check.ts'
import { parseToken } from './parse-token.ts'
import { findLack } from './requirements.ts'
import { type ChallengeNeeds, TokenError, type TokenErrorCode } from './token-error.ts'
import { type TokenMemory, tokenMemory } from './token-memory.ts'
import { type Freshness, readVerifierOptions, requireFreshness, type VerifierOptions, type VerifierSettings } from './verifier-options.ts'
import { verifySignature } from './verify-signature.ts'
import { type ViewPoll, viewPoll } from './view-poll.ts'

/** What a verified token says, and how current that is. */
export type VerifiedToken = {
  /** Frozen: a remembered token is given to many requests. */
  readonly claims: Readonly<AccessTokenClaims>
  /** How the answer came about: `live` also where it stood in for a view, `stale` only with `accept-stale`. */
  readonly freshness: Freshness | 'stale'
  /** Age of the knowledge about revocation in milliseconds; null where none was asked for (`offline`) or held (`stale`). */
  readonly viewAgeMs: number | null
  /** How far in the revocation feed the view has come; null before the first answer. A logout up to here is in effect here. */
  readonly cursor: string | null
}

/** Choices for one call. `waitUntil` lets the view be refreshed after the response (`ctx.waitUntil` of a Worker). */
export type VerifyCall = {
  freshness?: Freshness
  waitUntil?: WaitUntil
  /**
   * The thumbprint of the key that the caller has proven to hold (`sallyport/dpop` does): only a token bound to it passes then. Without it
   * a bound token is refused. `unproven`, a WEAKENING: bound or not; for who is asked about a token, and gives nothing for it.
   */
  boundTo?: string
}

/** The parts of a request that are read: its address, and its `Authorization` header only. Every `Request` has them. */
export type BearerRequest = { readonly url: string; readonly headers: { get(name: string): string | null } }

export type Verifier = {
  /** The verified bearer token of a request. Rejects with `TokenError`, or TypeError where `live` is asked for and nobody can be asked. */
  verify(request: BearerRequest, call?: VerifyCall): Promise<VerifiedToken>
  /** The same without a promise where nothing has to be waited for: a token seen before, a view that is current. Then it throws. */
  verifyNow(request: BearerRequest, call?: VerifyCall): VerifiedToken | Promise<VerifiedToken>
  /** `verify` for a token already in hand. */
  verifyToken(token: string, call?: VerifyCall): Promise<VerifiedToken>
  /** Whether the revocation list denies a signing key; `unknown` while the list cannot be had. For those who sign. */
  keyStatus(kid: string, waitUntil?: WaitUntil): Promise<'good' | 'denied' | 'unknown'>
  /** Ends a pushed feed; a polled verifier has nothing to end. */
  close(): void
  /** As it was given: for challenges that others make. */
  readonly resourceMetadata: string | undefined
}

/**
 * Makes a verifier. Make one for each service and keep it: it holds the issuer's keys, its view of the revocation list and the tokens it
 * has seen. Throws TypeError naming the option that is wrong.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return new TokenVerifier(readVerifierOptions(options))
}

const NO_CHOICES: VerifyCall = {}

class TokenVerifier implements Verifier {
  readonly resourceMetadata: string | undefined
  readonly #settings: VerifierSettings
  readonly #nowMs: () => number
  readonly #keys: KeyCache
  readonly #memory: TokenMemory
  readonly #poll: ViewPoll
  readonly #view: DenialView
  readonly #live: LiveCheck

  constructor(settings: VerifierSettings) {
    const { issuer, source, check, feed, nowMs, keyCooldown, freshFor, staleAfter } = settings
    this.resourceMetadata = settings.resourceMetadata
    this.#settings = settings
    this.#nowMs = nowMs
    this.#keys = keyCache(source, { nowMs, keyCooldown })
    this.#memory = tokenMemory(settings.memory, this.#keys)
    this.#poll = viewPoll(source, { nowMs, freshFor, staleAfter })
    this.#view = this.#poll.view
    this.#live = liveCheck(check, nowMs, staleAfter)
    if (feed !== null) this.#poll.pushed = feed(issuer, this.#view, nowMs)
  }

  async verify(request: BearerRequest, call?: VerifyCall): Promise<VerifiedToken> {
    return this.verifyNow(request, call)
  }

  verifyNow(request: BearerRequest, call?: VerifyCall): VerifiedToken | Promise<VerifiedToken> {
    const reading = findBearer(request.headers, request.url)
    if (!reading.ok) throw this.#refusal(reading.error === 'missing' ? 'token_missing' : 'token_malformed', reading.reason)
    return this.#judgeToken(reading.token, true, call)
  }

  async verifyToken(token: string, call?: VerifyCall): Promise<VerifiedToken> {
    return this.#judgeToken(token, false, call)
  }

  /** Waits for nothing where the token is known and the view current: most requests. */
  #judgeToken(token: string, isFromHeader: boolean, call: VerifyCall = NO_CHOICES): VerifiedToken | Promise<VerifiedToken> {
    const { freshness = this.#settings.freshness, waitUntil } = call
    if (call.freshness !== undefined) requireFreshness(freshness, this.#settings.check)
    const nowMs = this.#nowMs()
    const known = this.#memory.recall(token, nowMs)
    if (known === undefined) return this.#judgeStranger(token, isFromHeader, freshness, nowMs, call)
    this.#keys.renew(nowMs, waitUntil)
    return this.#consult(token, known, freshness, nowMs, call)
  }

  /** What can be said of a token that was verified: by its claims, the view or the issuer. */
  #consult(
    token: string,
    known: KnownToken,
    freshness: Freshness,
    nowMs: number,
    { boundTo, waitUntil }: VerifyCall,
  ): VerifiedToken | Promise<VerifiedToken> {
    this.#requireLiving(known, nowMs)
    // A bound token without its key, or another one's.
    if (known.claims.cnf?.jkt !== boundTo && boundTo !== 'unproven') throw this.#refusal('token_invalid', 'cnf')
    if (freshness === 'offline') return this.#accept(known, 'offline', null, nowMs)
    if (freshness === 'live') return this.#askLive(token, known, waitUntil)
    if (this.#poll.isCurrent(nowMs, waitUntil)) return this.#consultView(token, known, nowMs)
    return this.#consultOldView(token, known, waitUntil)
  }

  async keyStatus(kid: string, waitUntil?: WaitUntil): Promise<'good' | 'denied' | 'unknown'> {
    await this.#poll.becomesFresh(waitUntil)
    const nowMs = this.#nowMs()
    if (this.#view.deniesKey(kid, Math.floor(nowMs / 1000))) return 'denied'
    return this.#view.ageMs(nowMs) <= this.#settings.freshFor ? 'good' : 'unknown'
  }

  close(): void {
    this.#poll.pushed?.close()
  }

  /** Everything that can be said of a token without the revocation list; then the rest. */
  async #judgeStranger(
    token: string,
    isFromHeader: boolean,
    freshness: Freshness,
    nowMs: number,
    call: VerifyCall,
  ): Promise<VerifiedToken> {
    const parsing = parseToken(token, this.#settings.algorithms)
    if (!parsing.ok) {
      // What can be parsed has the grammar.
      throw isFromHeader && !isB64token(token)
        ? this.#refusal('token_malformed', 'grammar')
        : this.#refusal('token_invalid', parsing.reason)
    }
    // Before the signature, because it is cheap: a token of another issuer or time costs no cryptography and fetches no keys.
    const check = checkClaims(parsing.token.payload, this.#settings, Math.floor(nowMs / 1000))
    if (!check.ok) throw this.#refusal(check.error, check.reason)
    const answer = await this.#keys.find(parsing.token.kid, call.waitUntil)
    if (!answer.ok && answer.error === 'unavailable') throw this.#refusal('verifier_unavailable', `keys: ${this.#keys.failure()}`)
    if (!answer.ok) throw this.#refusal('token_invalid', 'unknown kid')
    if (!(await verifySignature(answer.key, parsing.token))) throw this.#refusal('token_invalid', 'signature')
    const known = knownToken(check.claims, answer.key)
    this.#memory.remember(token, known)
    // It may have waited for keys; the view's age is judged by the clock after that.
    return this.#consult(token, known, freshness, this.#nowMs(), call)
  }

  /** The view is within its bound. */
  #consultView(token: string, known: KnownToken, nowMs: number): VerifiedToken | Promise<VerifiedToken> {
    if (this.#judge(known, nowMs) === 'unsure') return this.#askLiveWithin(token, known)
    return this.#accept(known, 'fresh', this.#view.ageMs(nowMs), nowMs)
  }

  /** The view is past its bound: wait for a new one; failing that, ask for this token alone. */
  async #consultOldView(token: string, known: KnownToken, waitUntil: WaitUntil | undefined): Promise<VerifiedToken> {
    // What an old view denies stays denied, and need not wait.
    this.#judge(known, this.#nowMs())
    if (await this.#poll.becomesCurrent(waitUntil)) return this.#consultView(token, known, this.#nowMs())
    return this.#askLiveWithin(token, known)
  }

  /** The owner knows of the session, not of the key: a denied key is on the list, and whoever denied it waits until every view has it. */
  async #askLive(token: string, known: KnownToken, waitUntil: WaitUntil | undefined): Promise<VerifiedToken> {
    await this.#poll.becomesFresh(waitUntil)
    const nowMs = this.#nowMs()
    if (this.#view.check(known, Math.floor(nowMs / 1000)) === 'revoked') throw this.#denied('revoked')
    // Outdated or ended as well: the list says the one, the owner knows the other.
    const answer = await this.#ask(token, known, this.#settings.freshFor)
    if (answer === null) throw this.#unavailable()
    this.#judge(known, nowMs)
    return answer
  }

  /** A live answer in place of a view: one that was given within the bound will do, so that an outage is no stampede. */
  async #askLiveWithin(token: string, known: KnownToken): Promise<VerifiedToken> {
    const askedMs = this.#nowMs()
    const age = this.#live.rememberedAgeMs(token, known, askedMs)
    if (age !== null) return this.#accept(known, 'live', age, askedMs)
    const answer = await this.#ask(token, known, this.#settings.staleAfter)
    if (answer !== null) return answer
    if (this.#settings.onUnavailable === 'refuse') throw this.#unavailable()
    const nowMs = this.#nowMs()
    this.#judge(known, nowMs)
    const viewAge = this.#view.ageMs(nowMs)
    return this.#accept(known, 'stale', Number.isFinite(viewAge) ? viewAge : null, nowMs)
  }

  /** The issuer's answer for one token, and for its key while no view within `bound` says whether that is denied; null when there is none. */
  async #ask(token: string, known: KnownToken, bound: number): Promise<VerifiedToken | null> {
    const age = this.#view.ageMs(this.#nowMs())
    const outcome = await this.#live.ask(token, known, age > bound ? null : age)
    if (outcome === 'unavailable') return null
    if (outcome !== 'active') throw this.#denied(outcome)
    return this.#accept(known, 'live', 0, this.#nowMs())
  }

  /** Throws when the view denies the token. */
  #judge(known: KnownToken, nowMs: number): 'clean' | 'unsure' {
    const verdict = this.#view.check(known, Math.floor(nowMs / 1000))
    if (verdict === 'clean' || verdict === 'unsure') return verdict
    throw this.#denied(verdict)
  }

  /** Last, because an outdated token may lack what a refresh would bring. */
  #accept(known: KnownToken, freshness: VerifiedToken['freshness'], viewAgeMs: number | null, nowMs: number): VerifiedToken {
    const { claims } = known
    const { requires } = this.#settings
    // Again: whoever had to wait may have slept for an hour, and the list forgets what has expired.
    this.#requireLiving(known, nowMs)
    const lack = requires && findLack(claims, requires, nowMs / 1000)
    if (lack) throw this.#refusal(lack.code, lack.reason, lack.needs)
    return { claims, freshness, viewAgeMs, cursor: this.#view.cursorText }
  }

  #requireLiving({ claims }: KnownToken, nowMs: number): void {
    if (claims.exp <= nowMs / 1000 - this.#settings.clockTolerance) throw this.#refusal('token_expired', 'exp')
  }

  #unavailable(): TokenError {
    return this.#refusal('verifier_unavailable', `feed: ${this.#poll.failure()}; live: ${this.#live.failure()}`)
  }

  #denied(error: 'outdated' | 'revoked'): TokenError {
    return error === 'revoked' ? this.#refusal('token_revoked', 'denied') : this.#refusal('token_outdated', 'ver')
  }

  #refusal(code: TokenErrorCode, reason: string, needs?: ChallengeNeeds): TokenError {
    return new TokenError(code, reason, { ...needs, resource_metadata: this.resourceMetadata })
  }
}
