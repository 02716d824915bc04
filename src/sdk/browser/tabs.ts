import type { HeldToken } from './held-token.ts'
import type { SessionChange, TabMessage } from './tab-message.ts'

/** Milliseconds that a new tab gives others to answer its greeting, before it believes to be alone. */
const GREETING = 50

/** Milliseconds that known tabs are given to answer; one that does not (frozen, crashed) is forgotten until it speaks again. */
const ASKING = 500

/** What a tab does with what it hears. */
export type TabListener = {
  /** What this tab holds, for whoever asks. */
  holding(): { era: number; token: HeldToken | null }
  onToken(era: number, token: HeldToken): void
  onChange(era: number, change: SessionChange): void
  /** The page was frozen (back/forward cache), and has heard nothing meanwhile. */
  onResume(): void
}

/**
 * The other tabs of this origin. Where there is no BroadcastChannel a tab is alone. Only this origin's own pages can listen, and each of
 * them could ask the service for the same token.
 */
export class Tabs {
  readonly #id = crypto.randomUUID()
  readonly #key: string
  readonly #listener: TabListener
  #channel: BroadcastChannel | null
  readonly #others = new Set<string>()
  readonly #closing = new AbortController()
  #greeted: Promise<void>
  #heard: (from: string) => void = () => {}

  /** `name` is shared by all clients of one service, `key` by those with the same audience and scope. */
  constructor(name: string, key: string, listener: TabListener) {
    this.#key = key
    this.#listener = listener
    // The name holds the version of the messages: a tab of an older page may live on for weeks.
    this.#channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(`sallyport:1:${name}`)
    this.#channel?.addEventListener('message', (event) => this.#hear(event.data))
    this.#greeted = this.#greet()
    const { signal } = this.#closing
    globalThis.addEventListener?.('pagehide', () => this.#post({ type: 'bye', from: this.#id }), { signal })
    globalThis.addEventListener?.('pageshow', (event) => event.persisted && this.#resume(), { signal })
  }

  /** Gives the others a new token. */
  offer(era: number, token: HeldToken): void {
    this.#post({ type: 'token', from: this.#id, key: this.#key, era, token })
  }

  /** Tells the others, whatever their audience and scope, of a sign-in or sign-out. */
  announce(era: number, change: SessionChange): void {
    this.#post({ type: 'change', from: this.#id, era, change })
  }

  /** Asks the others what they hold; settles when `enough` of it was heard, when all have answered, or when the time is over. */
  async ask(enough: () => boolean): Promise<void> {
    await this.#greeted
    if (this.#others.size === 0 || enough()) return
    const silent = new Set(this.#others)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ASKING)
      this.#heard = (from) => {
        silent.delete(from)
        if (silent.size > 0 && !enough()) return
        clearTimeout(timer)
        resolve()
      }
      this.#post({ type: 'hello', from: this.#id, key: this.#key })
    })
    this.#heard = () => {}
    if (!enough()) for (const other of silent) this.#others.delete(other)
  }

  close(): void {
    this.#post({ type: 'bye', from: this.#id })
    this.#closing.abort()
    this.#channel?.close()
    this.#channel = null
  }

  #hear(message: TabMessage): void {
    if (message.type === 'bye') this.#others.delete(message.from)
    else if (message.type === 'change') this.#listener.onChange(message.era, message.change)
    else if (message.key === this.#key) {
      this.#others.add(message.from)
      if (message.type === 'hello') this.#post({ type: 'here', from: this.#id, key: this.#key, ...this.#listener.holding() })
      else if (message.token !== null) this.#listener.onToken(message.era, message.token)
    }
    this.#heard(message.from)
  }

  #resume(): void {
    this.#others.clear()
    this.#listener.onResume()
    this.#greeted = this.#greet()
  }

  async #greet(): Promise<void> {
    if (this.#channel === null) return
    this.#post({ type: 'hello', from: this.#id, key: this.#key })
    await new Promise((resolve) => setTimeout(resolve, GREETING))
  }

  #post(message: TabMessage): void {
    this.#channel?.postMessage(message)
  }
}
