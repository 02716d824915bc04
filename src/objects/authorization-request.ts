import { DurableObject } from 'cloudflare:workers'
import type { Env } from '../env.ts'
import { decideDevice, type Polled, pollDevice, type Viewed, type Viewer, viewDevice } from '../oauth/device-request.ts'
import { type DeviceRequest, deviceRequestStore } from '../oauth/device-request-store.ts'
import { INTERACTION_SECONDS } from '../oauth/interaction.ts'
import { type PushedRequest, pushedRequestStore } from '../oauth/pushed-request-store.ts'
import { isMigrated, migrate } from '../storage/migrate.ts'
import init from '../storage/schema/authorization-request/0001-init.sql'
import taken from '../storage/schema/authorization-request/0002-taken.sql'

const openStores = (sql: SqlStorage) => ({ pushed: pushedRequestStore(sql), devices: deviceRequestStore(sql) })

/**
 * One attempt to authorize that has to be remembered before anybody has signed in: a pushed request, found by a random id, or a device that
 * waits, found by its user code.
 */
export class AuthorizationRequest extends DurableObject<Env> {
  #opened: ReturnType<typeof openStores> | null = null
  /** A memory of manners only: an evicted object forgives an eager device. */
  #polledAt: number | null = null

  get #stores() {
    if (!this.#opened) {
      migrate(this.ctx.storage, [
        { id: '0001-init', sql: init },
        { id: '0002-taken', sql: taken },
      ])
      this.#opened = openStores(this.ctx.storage.sql)
    }
    return this.#opened
  }

  /** Whether anything was ever stored here: a look at what never was stores nothing. */
  get #isMade(): boolean {
    return this.#opened !== null || isMigrated(this.ctx.storage)
  }

  /** Keeps what a client pushed until `expires_at` (integer seconds), longer if it has been read by then, or until it is taken. */
  async push(request: PushedRequest): Promise<void> {
    this.#change(() => this.#stores.pushed.put(request))
    await this.ctx.storage.setAlarm(request.expires_at * 1000)
  }

  /** What was pushed, kept from now on for as long as its pages may be open. Null: another client's, taken, expired, or never there. */
  async read(client_id: string): Promise<Record<string, string> | null> {
    const request = this.#isMade ? this.#stores.pushed.get() : null
    const now = Math.floor(Date.now() / 1000)
    if (request?.client_id !== client_id || now >= request.expires_at) return null
    await this.ctx.storage.setAlarm((now + INTERACTION_SECONDS + 1) * 1000)
    return request.parameters
  }

  /** Uses up what was pushed (RFC 9126, 7.3): true for exactly one visit of all that ask, and for that one as often as it does. */
  take(visit: string): boolean {
    return this.#isMade && this.#change(() => this.#stores.pushed.take(visit))
  }

  /** False: another device waits under this user code. The repeat of a call whose reply was lost is told apart by its secret. */
  async beginDevice(request: Pick<DeviceRequest, 'client_id' | 'secret_hash' | 'scope' | 'aud' | 'expires_at'>): Promise<boolean> {
    const begun = this.#change((now) => {
      const before = this.#stores.devices.get()
      if (before && now < before.expires_at) return Buffer.from(before.secret_hash).equals(Buffer.from(request.secret_hash))
      this.#stores.devices.put({ ...request, state: 'pending', viewer: null, sub: null, code: null })
      return true
    })
    if (begun) await this.ctx.storage.setAlarm(request.expires_at * 1000)
    return begun
  }

  viewDevice(viewer: Viewer): Viewed {
    return this.#isMade ? this.#change((now) => viewDevice(this.#stores.devices, viewer, now)) : { ok: false, error: 'unknown' }
  }

  decideDevice(viewer: Viewer, code: string | null): boolean {
    return this.#isMade && this.#change((now) => decideDevice(this.#stores.devices, viewer, code, now))
  }

  pollDevice(by: { secret: Uint8Array; client_id: string }): Polled {
    // An expired request has been forgotten: whoever holds its code, under our MAC, is told so.
    if (!this.#isMade) return { state: 'expired' }
    return this.#change((now) => {
      const polled = pollDevice(this.#stores.devices.get(), by, this.#polledAt, now)
      this.#polledAt = now
      return polled
    })
  }

  override async alarm(): Promise<void> {
    // First: who comes while it is deleted opens it anew.
    this.#opened = null
    await this.ctx.storage.deleteAll()
  }

  #change<T>(decide: (now: number) => T): T {
    return this.ctx.storage.transactionSync(() => decide(Math.floor(Date.now() / 1000)))
  }
}
