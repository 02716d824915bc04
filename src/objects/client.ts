import { DurableObject } from 'cloudflare:workers'
import { type ClientSecret, type KnownClient, type Client as Metadata, usesSecret } from '../clients/client.ts'
import { type ClientStore, clientStore, type RegisteredClient } from '../clients/client-store.ts'
import { idleAt, USE_SECONDS } from '../clients/idle.ts'
import { type LogoutStore, logoutStore } from '../clients/logout-store.ts'
import type { Env } from '../env.ts'
import { ACCESS_TOKEN_LIFETIME, CLOCK_SKEW } from '../protocol/claims.ts'
import { denyClient, denyToken } from '../revocation/denials.ts'
import { type LogoutNotice, type OutboxStore, outboxStore } from '../revocation/outbox-store.ts'
import { isMigrated, migrate } from '../storage/migrate.ts'
import init from '../storage/schema/client/0001-init.sql'
import logout from '../storage/schema/client/0002-logout.sql'
import { deliver, FIRST_RETRY_MS, retryDelay } from './delivery.ts'
import { deliverLogouts } from './logout-delivery.ts'

/** How long the secrets before a new one still work, in seconds: time to bring it to every machine of the client. */
export const SECRET_OVERLAP_SECONDS = 86_400
/** So many secrets live at once at most; beyond that the oldest goes early. */
export const MAX_SECRETS = 8

/** What a registration stores. Hashes are base64url of SHA-256; `secret_hash` null: its method needs no secret. */
export type NewClient = { client: Metadata; registration_hash: string; secret_hash: string | null }
/** Whoever manages a registration shows its registration access token (RFC 7592); wrong, unknown, another client's: all the same. */
export type Unmanaged = { ok: false; error: 'invalid_token' }
/** `created_at` in integer seconds. */
export type Managed = { ok: true; client: Metadata; created_at: number }

type Stores = { clients: ClientStore; outbox: OutboxStore; logouts: LogoutStore }

/**
 * One OAuth client, named by its client_id: what it registered, and which of its machine tokens were taken back (of a configured client
 * only that). Each method is one intent in one synchronous transaction; what verifiers must know goes through the outbox.
 */
export class Client extends DurableObject<Env> {
  #opened: Stores | null = null

  // Not in the constructor: an id that somebody made up is asked about, and stores nothing.
  get #stores(): Stores {
    if (!this.#opened) {
      migrate(this.ctx.storage, [
        { id: '0001-init', sql: init },
        { id: '0002-logout', sql: logout },
      ])
      const { sql } = this.ctx.storage
      this.#opened = { clients: clientStore(sql), outbox: outboxStore(sql), logouts: logoutStore(sql) }
    }
    return this.#opened
  }

  /** Safe to repeat: the same registration again changes nothing. */
  register({ client, registration_hash, secret_hash }: NewClient): { ok: true; created_at: number } | { ok: false; error: 'taken' } {
    return this.#change(({ clients }, now) => {
      const known = clients.get()
      if (known)
        return known.registration_hash === registration_hash ? { ok: true, created_at: known.created_at } : { ok: false, error: 'taken' }
      clients.insert({ client, registration_hash, created_at: now, used_at: null })
      if (secret_hash !== null) clients.addSecret(secret_hash, now)
      return { ok: true, created_at: now }
    })
  }

  /** What is registered here, with the secrets that live. Null: nothing, and nothing is stored. */
  find(): KnownClient | null {
    if (!this.#isMade()) return null
    const { clients } = this.#stores
    const known = clients.get()
    return known && { client: known.client, secrets: clients.secrets(this.#now()) }
  }

  /** RFC 7592, 2.1. */
  read(registration_hash: string): Managed | Unmanaged {
    const known = this.#isMade() ? this.#stores.clients.get() : null
    if (known?.registration_hash !== registration_hash) return { ok: false, error: 'invalid_token' }
    return { ok: true, client: known.client, created_at: known.created_at }
  }

  /**
   * RFC 7592, 2.2: what is given takes the place of all there was; secrets stay, or go when the new method uses none. `secret_hash`: of a
   * secret to take when the method uses one and there is none; `taken` says whether it was. `given_hash`: of a secret that the client says
   * it has, which must be so.
   */
  update(
    registration_hash: string,
    { client, secret_hash, given_hash }: { client: Metadata; secret_hash: string; given_hash: string | null },
  ): (Managed & { taken: boolean }) | Unmanaged | { ok: false; error: 'wrong_secret' } {
    return this.#managed(registration_hash, ({ created_at }, now) => {
      const { clients } = this.#stores
      const secrets = clients.secrets(now)
      if (given_hash !== null && !secrets.some(({ hash }) => hash === given_hash)) return { ok: false, error: 'wrong_secret' }
      clients.replace(client)
      // The second arrival of the same request took it at the first.
      const taken = usesSecret(client) && secrets.every(({ hash }) => hash === secret_hash)
      if (taken) clients.addSecret(secret_hash, now)
      if (!usesSecret(client)) for (const { hash } of secrets) clients.dropSecret(hash)
      return { ok: true, client, created_at, taken }
    })
  }

  /** Takes another secret; those before it live for a day more. */
  rotateSecret(registration_hash: string, secret_hash: string): Managed | Unmanaged | { ok: false; error: 'no_secret' } {
    return this.#managed(registration_hash, ({ client, created_at }, now) => {
      if (!usesSecret(client)) return { ok: false, error: 'no_secret' }
      const { clients } = this.#stores
      clients.sweepSecrets(now)
      // The second arrival of the same request.
      if (clients.secrets(now).some(({ hash }) => hash === secret_hash)) return { ok: true, client, created_at }
      for (const { hash } of oldest(clients.secrets(now))) clients.dropSecret(hash)
      clients.endSecrets(now + SECRET_OVERLAP_SECONDS)
      clients.addSecret(secret_hash, now)
      return { ok: true, client, created_at }
    })
  }

  /**
   * RFC 7592, 2.3: forgets the client and denies all its tokens. `denied` false: the list could not be reached; the alarm goes on trying,
   * and so does a repeated call. Once the list has it, the registration is as unknown as any.
   */
  async remove(registration_hash: string): Promise<{ ok: true; denied: boolean } | Unmanaged> {
    const removed = this.#managed(registration_hash, ({ client }, now) => {
      this.#remove(client.client_id, now)
      return { ok: true as const }
    })
    if (!removed.ok && !this.#isBeingRemoved(registration_hash)) return removed
    return { ok: true, denied: await this.#deliver() }
  }

  /** It has just been given a token. One row a day at most. */
  use(): void {
    if (!this.#isMade()) return
    const { clients } = this.#stores
    const known = clients.get()
    const now = this.#now()
    if (!known || (known.used_at !== null && now < known.used_at + USE_SECONDS)) return
    this.#change((stores) => stores.clients.use(now))
  }

  /** Denies one machine token of this client; `exp` is its own, integer seconds. */
  async revokeToken({ jti, exp }: { jti: string; exp: number }): Promise<{ ok: true; denied: boolean }> {
    this.#change(({ clients, outbox }, now) => {
      // The token was ours, so it is dead by then whatever the caller says.
      const end = Math.min(exp, now + ACCESS_TOKEN_LIFETIME) + CLOCK_SKEW
      if (end < now || clients.isRevoked(jti)) return
      clients.revokeToken(jti, end)
      outbox.add({ target: 'denial', body: denyToken(jti, end) }, now)
    })
    return { ok: true, denied: await this.#deliver() }
  }

  /**
   * The `live` answer about a machine token whose signature has been checked. `registered`: whether the client is one that must be registered
   * here; a configured one is known by its configuration.
   */
  check({ jti, registered }: { jti: string; registered: boolean }): { active: true } | { active: false; error: 'revoked' } {
    if (!this.#isMade()) return registered ? { active: false, error: 'revoked' } : { active: true }
    const { clients } = this.#stores
    const active = !clients.isRevoked(jti) && !(registered && clients.get() === null)
    return active ? { active } : { active, error: 'revoked' }
  }

  /** Takes what this client is to be told of ended sessions; the alarm brings it, so that nobody who signs out waits for a client. */
  queueLogout(notices: readonly LogoutNotice[]): void {
    this.#change(({ logouts }, now) => {
      for (const notice of notices) logouts.add(notice, now)
    })
  }

  /** Forgets what is idle or expired, tells the list what it does not know yet, and leaves nothing behind when nothing is left. */
  override async alarm(): Promise<void> {
    if (!this.#isMade()) return
    this.#change(({ clients }, now) => {
      const known = clients.get()
      if (known && idleAt(known) <= now) this.#remove(known.client.client_id, now)
      clients.sweepSecrets(now)
      clients.sweepTokens(now)
    })
    await this.#deliver()
    const { clients, outbox, logouts } = this.#stores
    await deliverLogouts(this.env, logouts, clients.get()?.client ?? null)
    this.#setAlarm()
    if (clients.get() !== null || outbox.pending(1).length > 0 || clients.nextExpiry() !== null || logouts.nextDue() !== null) return
    // First: who comes while it is deleted opens it anew.
    this.#opened = null
    await this.ctx.storage.deleteAll()
  }

  #isBeingRemoved(registration_hash: string): boolean {
    return this.#isMade() && this.#stores.clients.isRemoval(registration_hash) && this.#stores.outbox.pending(1).length > 0
  }

  #remove(client_id: string, now: number): void {
    const { clients, outbox } = this.#stores
    clients.remove()
    outbox.add({ target: 'denial', body: denyClient(client_id, now) }, now)
  }

  #isMade(): boolean {
    return this.#opened !== null || isMigrated(this.ctx.storage)
  }

  #managed<T>(registration_hash: string, act: (known: RegisteredClient, now: number) => T): T | Unmanaged {
    if (!this.#isMade()) return { ok: false, error: 'invalid_token' }
    return this.#change(({ clients }, now) => {
      const known = clients.get()
      return known?.registration_hash === registration_hash ? act(known, now) : { ok: false, error: 'invalid_token' }
    })
  }

  #change<T>(decide: (stores: Stores, now: number) => T): T {
    const stores = this.#stores
    const answer = this.ctx.storage.transactionSync(() => decide(stores, this.#now()))
    this.#setAlarm()
    return answer
  }

  async #deliver(): Promise<boolean> {
    const { denied } = await deliver(this.env, this.#stores.outbox)
    this.#setAlarm()
    return denied
  }

  /** One alarm for whatever comes first: another try at the outbox, a token or a client that may be forgotten. */
  #setAlarm(): void {
    const { clients, outbox, logouts } = this.#stores
    const letters = outbox.pending(1)
    const notice = logouts.nextDue()
    const known = clients.get()
    const expiry = clients.nextExpiry()
    const times = [
      ...(letters.length > 0 ? [Date.now() + retryDelay(letters, Date.now())] : []),
      ...(known ? [idleAt(known) * 1000] : []),
      ...(expiry === null ? [] : [(expiry + 1) * 1000]),
      ...(notice === null ? [] : [notice * 1000]),
    ]
    // Nothing at all: the alarm leaves nothing behind.
    void this.ctx.storage.setAlarm(times.length > 0 ? Math.min(...times) : Date.now() + FIRST_RETRY_MS)
  }

  #now(): number {
    return Math.floor(Date.now() / 1000)
  }
}

/** Those that must go so that one more has room; the list is newest first. */
const oldest = (secrets: readonly ClientSecret[]): ClientSecret[] => secrets.slice(MAX_SECRETS - 1)
