import { DurableObject } from 'cloudflare:workers'
import { readConfig } from '../config.ts'
import type { Env } from '../env.ts'
import { type GeneratedKey, generateKey, unwrapKey, wrapKey } from '../keys/generate.ts'
import { algorithmsOf, type KeyRow, type KeyState, type PublicJwk, type SigningAlgorithm } from '../keys/key.ts'
import { keyStore } from '../keys/key-store.ts'
import { HAND_PUBLISHED_SECONDS, handRotation, promote } from '../keys/rotation.ts'
import { accessTokenKey, allDueSteps, allNextDue, findLack, type Lack, signingKey, successionTime } from '../keys/schedule.ts'
import { openSecretRing, type SecretRing } from '../keys/secret-ring.ts'
import type { ActiveKey } from '../keys/signer.ts'
import { denyKey } from '../revocation/denials.ts'
import { outboxStore } from '../revocation/outbox-store.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/key-set/0001-init.sql'
import { deliver, retryDelay } from './delivery.ts'

export type Rotated =
  | { ok: true; kid: string }
  | { ok: false; error: 'too_soon' | 'too_many'; retryAfter: number }
  | { ok: false; error: 'unknown_alg' }

export type ListedKey = { kid: string; alg: SigningAlgorithm; state: KeyState }

/** Keys that nobody has asked for yet are made this long after those that somebody waits for. */
const FILL_DELAY_MS = 1_000

/** The one key authority. Keys are made outside transactions (WebCrypto is asynchronous) and put in place inside them. */
export class KeySet extends DurableObject<Env> {
  readonly #keys
  readonly #outbox
  readonly #signingAlg: SigningAlgorithm
  /** The algorithm of access tokens first. */
  readonly #algorithms: readonly SigningAlgorithm[]
  readonly #ring: Promise<SecretRing>
  readonly #filling = new Map<SigningAlgorithm, Promise<void>>()

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#keys = keyStore(ctx.storage.sql)
    this.#outbox = outboxStore(ctx.storage.sql)
    const read = readConfig({ ...env })
    if (!read.ok) throw new Error(`misconfigured: ${read.problem.variable}`)
    this.#signingAlg = read.config.signingAlg
    this.#algorithms = algorithmsOf(this.#signingAlg)
    this.#ring = this.#openRing(read.config.secrets)
  }

  /** The key that signs now, wrapped; the Worker unwraps it. Without `alg` the one for access tokens, which waits for no other algorithm's. */
  async activeKey(alg?: SigningAlgorithm): Promise<ActiveKey> {
    if (alg !== undefined && !this.#algorithms.includes(alg)) throw new Error(`nothing is signed with ${alg} here`)
    const keys = await this.#settled(alg === undefined ? [] : [alg])
    const signing = alg === undefined ? accessTokenKey(keys, this.#signingAlg, this.#now()) : signingKey(keys, alg)
    if (!signing) throw new Error('a settled key set has an active key')
    const { kid, wrapped, iv, secret_id } = signing.key
    return { kid, alg: signing.key.alg, wrapped, iv, secret_id, signs_until: signing.signs_until }
  }

  /** The published key set (RFC 7517): all that sign, will sign, or have signed a token that may still live, of every algorithm. */
  async jwks(): Promise<{ keys: PublicJwk[] }> {
    const keys = await this.#settled(this.#algorithms)
    return { keys: keys.filter((key) => key.state !== 'revoked').map((key) => key.public_jwk) }
  }

  /** The keys that there are; first those of the algorithm that signs access tokens now. */
  async list(): Promise<ListedKey[]> {
    const used = new Set(this.#keys.all().map(({ alg }) => alg))
    const keys = await this.#settled(this.#algorithms.filter((alg) => used.has(alg)))
    const first = accessTokenKey(keys, this.#signingAlg, this.#now())?.key.alg
    return [...keys.filter(({ alg }) => alg === first), ...keys.filter(({ alg }) => alg !== first)].map(({ kid, alg, state }) => ({
      kid,
      alg,
      state,
    }))
  }

  /**
   * Makes the published `next` key of an algorithm sign from now on; answers its kid. A `next` that no secret opens is replaced. A key that
   * nobody can have fetched yet is published first (`too_soon`), and signs at once only when no other can.
   */
  async rotate(alg: SigningAlgorithm = this.#signingAlg): Promise<Rotated> {
    if (!this.#algorithms.includes(alg)) return { ok: false, error: 'unknown_alg' }
    const settled = await this.#settled([alg])
    const may = handRotation(settled, alg, this.#now())
    if (!may.ok) return may
    const lost = await this.#unopened(settled.filter((key) => key.alg === alg))
    const fresh = await this.#generate(alg)
    return this.#change((now): Rotated => {
      const keys = this.#keys.all()
      // Another rotation may have come first: then the key that follows is too young.
      const still = handRotation(keys, alg, now)
      if (!still.ok) return still
      const next = keys.find((key) => key.alg === alg && key.state === 'next')
      const active = keys.find((key) => key.alg === alg && key.state === 'active')
      if (next && !lost.has(next.kid)) {
        this.#keys.apply(promote(active, next), now)
        this.#insert(fresh, 'next', now)
        return { ok: true, kid: next.kid }
      }
      if (next) this.#keys.apply([{ kid: next.kid, state: 'gone' }], now)
      // `next` was revoked or is lost, but the key that signs is sound.
      if (active && !lost.has(active.kid)) {
        this.#insert(fresh, 'next', now)
        return { ok: false, error: 'too_soon', retryAfter: HAND_PUBLISHED_SECONDS }
      }
      if (active) this.#keys.setState(active.kid, 'retired', now)
      this.#insert(fresh, 'active', now)
      return { ok: true, kid: fresh.kid }
    })
  }

  /**
   * Emergency: denies everything this key signed, takes it out of the key set at once and lets the next one sign. Null: no such key.
   * `denied` false: the list could not be reached; the alarm goes on trying, and so does a repeated call. Waits for no new key: whoever asks
   * for one next has it made.
   */
  async revoke(kid: string): Promise<{ denied: boolean } | null> {
    const known = this.#change((now) => {
      const keys = this.#keys.all()
      const key = keys.find((row) => row.kid === kid)
      if (!key || key.state === 'revoked') return key !== undefined
      const next = keys.find((row) => row.alg === key.alg && row.state === 'next')
      this.#keys.setState(kid, 'revoked', now)
      if (key.state === 'active' && next) this.#keys.setState(next.kid, 'active', successionTime(keys, this.#signingAlg, next, now))
      this.#outbox.add({ target: 'denial', body: denyKey(kid, now) }, now)
      return true
    })
    return known ? { denied: (await this.#deliver()).denied } : null
  }

  override async alarm(): Promise<void> {
    await this.#deliver()
    await this.#settled(this.#algorithms)
  }

  /** The keys after everything that is due has happened, and what access tokens and these algorithms lack has been made. */
  async #settled(algorithms: readonly SigningAlgorithm[]): Promise<KeyRow[]> {
    for (;;) {
      const due = (now: number) => allDueSteps(this.#keys.all(), this.#signingAlg, now)
      if (due(this.#now()).length > 0) this.#change((now) => this.#keys.apply(due(now), now))
      const keys = this.#keys.all()
      const lack = findLack(keys, [this.#signingAlg, ...algorithms])
      if (!lack) return keys
      await this.#fill(lack)
    }
  }

  /** Makes what is lacking, once however many ask at the same time: an RSA key takes long. All calls to an object may wait for one promise. */
  #fill(lack: Lack): Promise<void> {
    const filling = this.#filling.get(lack.alg) ?? this.#fillNow(lack).finally(() => this.#filling.delete(lack.alg))
    this.#filling.set(lack.alg, filling)
    return filling
  }

  async #fillNow({ alg, states }: Lack): Promise<void> {
    const made: GeneratedKey[] = []
    // Making a key holds the thread: in between others have their turn.
    for (const _ of states) {
      made.push(await this.#generate(alg))
      await scheduler.wait(0)
    }
    this.#change((now) => {
      for (const state of findLack(this.#keys.all(), [alg])?.states ?? []) {
        const key = made.pop()
        if (key) this.#insert(key, state, now)
      }
    })
  }

  /** The secrets; what an older one wrapped is wrapped with the newest. */
  async #openRing(secrets: readonly string[]): Promise<SecretRing> {
    const ring = await openSecretRing(secrets)
    const stale = this.#keys.all().filter((key) => key.secret_id !== ring.newest.id && ring.find(key.secret_id))
    const rewrapped = await Promise.all(stale.map((key) => rewrap(key, ring)))
    this.ctx.storage.transactionSync(() => {
      for (const key of rewrapped) if (key) this.#keys.rewrap(key.kid, key.wrapped, key.iv, key.secret_id)
    })
    return ring
  }

  /** Those of the keys that sign or will that no secret opens. */
  async #unopened(keys: readonly KeyRow[]): Promise<Set<string>> {
    const ring = await this.#ring
    const living = keys.filter(({ state }) => state === 'active' || state === 'next')
    const opened = await Promise.all(living.map((key) => unwrapKey(key, ring)))
    return new Set(living.flatMap(({ kid }, n) => (opened[n] === null ? kid : [])))
  }

  #insert(key: GeneratedKey, state: KeyState, now: number): void {
    this.#keys.insert({ ...key, state, created_at: now, state_at: now })
  }

  async #generate(alg: SigningAlgorithm): Promise<GeneratedKey> {
    return generateKey(alg, await this.#ring)
  }

  async #deliver(): Promise<{ denied: boolean }> {
    const delivered = await deliver(this.env, this.#outbox)
    this.#setAlarm()
    return delivered
  }

  #change<T>(decide: (now: number) => T): T {
    const answer = this.ctx.storage.transactionSync(() => decide(this.#now()))
    this.#setAlarm()
    return answer
  }

  /** One alarm for whatever comes first: another try at the outbox, a key that is lacking, a step of the schedule. */
  #setAlarm(): void {
    const keys = this.#keys.all()
    const letters = this.#outbox.pending(1)
    const due = allNextDue(keys, this.#signingAlg)
    const times = [
      ...(letters.length > 0 ? [Date.now() + retryDelay(letters, Date.now())] : []),
      ...(findLack(keys, this.#algorithms) ? [Date.now() + FILL_DELAY_MS] : []),
      ...(due === null ? [] : [due * 1000]),
    ]
    if (times.length > 0) void this.ctx.storage.setAlarm(Math.min(...times))
  }

  #now(): number {
    return Math.floor(Date.now() / 1000)
  }
}

async function rewrap(key: KeyRow, ring: SecretRing) {
  const clear = await unwrapKey(key, ring)
  return clear && { kid: key.kid, ...(await wrapKey(clear, key.kid, ring)) }
}
