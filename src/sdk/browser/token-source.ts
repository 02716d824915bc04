import type { CallApi } from './api.ts'
import { ClientError } from './client-error.ts'
import { exclusively } from './exclusively.ts'
import { type HeldToken, requestToken, sidOf, type TokenRequest } from './held-token.ts'
import type { Session } from './session.ts'
import type { SessionChange } from './tab-message.ts'
import { Tabs } from './tabs.ts'

/** With this share of its life left, a token is renewed while it is still used (60 s of 300 s). */
const DUE = 0.2

/** With this share of its life left (15 s of 300 s), it is no longer given out: it could end on its way. */
const LAST = 0.05

/**
 * The access token in this tab's memory, and how tabs share the making of one. There is no timer: an idle tab asks nothing. Whoever finds
 * a token missing or due takes the lock of all tabs, takes over what another tab has made meanwhile, or makes the one that all get.
 */
export class TokenSource {
  readonly #callApi: CallApi
  readonly #request: TokenRequest
  readonly #lock: string
  readonly #onChange: (change: SessionChange) => void
  readonly #tabs: Tabs
  #era = 0
  /** The era whose beginning the page has been told of. */
  #toldEra = 0
  #deadUntilMs = 0
  #held: HeldToken | null = null
  /** What this tab knows of the session: null before it has asked. */
  #belief: SessionChange | null = null
  #renewal: Promise<HeldToken> | null = null

  constructor(baseUrl: string, request: TokenRequest, callApi: CallApi, onChange: (change: SessionChange) => void) {
    const key = JSON.stringify([request.audience ?? null, request.scope ?? null])
    this.#callApi = callApi
    this.#request = request
    this.#lock = `sallyport:1:${baseUrl} ${key}`
    this.#onChange = onChange
    this.#tabs = new Tabs(baseUrl, key, {
      holding: () => ({ era: this.#era, token: this.#isGood() ? this.#held : null }),
      onToken: (era, token) => this.#take(era, token),
      onChange: (era, change) => this.#follow(era, change),
      onResume: () => {
        this.#held = null
      },
    })
  }

  /** A token with life left; a newer one than `refused` when that is given. Throws `ClientError`. */
  async get(refused?: HeldToken): Promise<HeldToken> {
    const held = this.#held
    if (held === null || !this.#isGood(refused)) return this.#renew(refused ?? held)
    // The present one is still good when this fails, and the next call tries again.
    if (shareLeft(held) <= DUE) this.#renew(held).catch(() => {})
    return held
  }

  /** A token made after the one that is held now. */
  async renewed(): Promise<HeldToken> {
    return this.#renew(this.#held)
  }

  /** An API refuses this token for good: neither it nor an older one is given out again. The session is not touched. */
  drop(refused: HeldToken): void {
    this.#deadUntilMs = Math.max(this.#deadUntilMs, refused.issuedAtMs)
  }

  /** This tab has signed in or out: tokens of before are void, here and in every other tab. */
  change(change: SessionChange): void {
    const era = Math.max(Date.now(), this.#era + 1)
    this.#tabs.announce(era, change)
    this.#follow(era, change)
  }

  /** The session, by the service's answer; null when nobody is signed in. */
  session(question: () => Promise<Session>): Promise<Session | null> {
    return this.#ask(question, ({ sid }) => {
      // Someone has signed in without a client, on a page of the service: the token is of the session before.
      const heldSid = this.#held === null ? null : sidOf(this.#held)
      if (heldSid !== null && heldSid !== sid) this.change('signed-in')
    })
  }

  close(): void {
    this.#tabs.close()
  }

  #renew(than: HeldToken | null): Promise<HeldToken> {
    this.#renewal ??= exclusively(this.#lock, () => this.#renewInTurn(than)).finally(() => {
      this.#renewal = null
    })
    return this.#renewal
  }

  async #renewInTurn(than: HeldToken | null): Promise<HeldToken> {
    if (!this.#isGood(than)) await this.#tabs.ask(() => this.#isGood(than))
    if (this.#held !== null && this.#isGood(than)) return this.#held
    const token = await this.#ask(
      () => requestToken(this.#callApi, this.#request),
      (made) => {
        this.#held = made
        this.#tabs.offer(this.#era, made)
      },
    )
    if (token === null) throw new ClientError('no_session', 'There is no living session here.', { status: 401 })
    return token
  }

  /**
   * Asks the service something that needs the session, and keeps the answer; null when the service says there is none. An answer from
   * before a sign-in or sign-out is void. A tab that believed to be signed in asks twice before it believes otherwise: its question may
   * have left with the cookie that a sign-in elsewhere was just replacing.
   */
  async #ask<T>(question: () => Promise<T>, keep: (answer: T) => void): Promise<T | null> {
    for (let tries = 1; ; tries++) {
      const era = this.#era
      try {
        const answer = await question()
        if (this.#era !== era) continue
        this.#believe('signed-in')
        keep(answer)
        return answer
      } catch (error) {
        if (!(error instanceof ClientError) || error.code !== 'no_session') throw error
        if (this.#era !== era || (this.#belief === 'signed-in' && tries === 1)) continue
        this.#held = null
        this.#believe('signed-out')
        return null
      }
    }
  }

  /** Told to this tab alone: what one tab was answered is no news for the others, who ask for themselves. */
  #believe(change: SessionChange): void {
    const before = this.#belief
    this.#belief = change
    if (before !== null && before !== change) this.#onChange(change)
  }

  /** Whether the token held has life left and is newer than the one given. */
  #isGood(than: HeldToken | null = null): boolean {
    if (this.#held === null || shareLeft(this.#held) <= LAST) return false
    return this.#held.issuedAtMs > Math.max(this.#deadUntilMs, than?.issuedAtMs ?? 0)
  }

  #take(era: number, token: HeldToken): void {
    if (era < this.#era || (era === this.#era && this.#held !== null && this.#held.issuedAtMs >= token.issuedAtMs)) return
    this.#era = era
    this.#held = token
    this.#belief = 'signed-in'
  }

  #follow(era: number, change: SessionChange): void {
    if (era < this.#era || era <= this.#toldEra) return
    // A token of the new era may have come before the news of it.
    if (era > this.#era) this.#held = null
    this.#era = era
    this.#toldEra = era
    this.#belief = change
    this.#onChange(change)
  }
}

const shareLeft = ({ issuedAtMs, expiresAtMs }: HeldToken): number => (expiresAtMs - Date.now()) / Math.max(1, expiresAtMs - issuedAtMs)
