import { DurableObject } from 'cloudflare:workers'
import { type Config, readConfig } from '../config.ts'
import type { Env } from '../env.ts'
import { type GeneratedKey, generateKey, unwrapKey, wrapKey } from '../keys/generate.ts'
import type { KeyRow, KeyState, PublicJwk } from '../keys/key.ts'
import { keyStore } from '../keys/key-store.ts'
import { dueSteps, handRotation, nextDue, promote, switchTime } from '../keys/rotation.ts'
import { openSecretRing, type SecretRing } from '../keys/secret-ring.ts'
import type { ActiveKey } from '../keys/signer.ts'
import { denyKey } from '../revocation/denials.ts'
import { outboxStore } from '../revocation/outbox-store.ts'
import { migrate } from '../storage/migrate.ts'
import init from '../storage/schema/key-set/0001-init.sql'
import { deliver, retryDelay } from './delivery.ts'

export type Rotated = { ok: true; kid: string } | { ok: false; error: 'too_soon' | 'too_many'; retryAfter: number }

export type ListedKey = { kid: string; alg: string; state: KeyState }

/** The one key authority. Keys are made outside transactions (WebCrypto is asynchronous) and put in place inside them. */
export class KeySet extends DurableObject<Env> {
  readonly #keys
  readonly #outbox
  readonly #config: Config
  readonly #ring: Promise<SecretRing>

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    migrate(ctx.storage, [{ id: '0001-init', sql: init }])
    this.#keys = keyStore(ctx.storage.sql)
    this.#outbox = outboxStore(ctx.storage.sql)
    const read = readConfig({ ...env })
    if (!read.ok) throw new Error(`misconfigured: ${read.problem.variable}`)
    this.#config = read.config
    this.#ring = openSecretRing(read.config.secrets)
  }

  /** The key that signs now, wrapped; the Worker unwraps it. */
  async activeKey(): Promise<ActiveKey> {
    const keys = await this.#settled()
    const active = keys.find((key) => key.state === 'active')
    const next = keys.find((key) => key.state === 'next')
    if (!active || !next) throw new Error('a settled key set has an active and a next key')
    const { kid, alg, wrapped, iv, secret_id } = active
    return { kid, alg, wrapped, iv, secret_id, signs_until: switchTime(active, next) }
  }

  /** The published key set (RFC 7517): all that sign, will sign, or have signed a token that may still live. */
  async jwks(): Promise<{ keys: PublicJwk[] }> {
    const keys = await this.#settled()
    return { keys: keys.filter((key) => key.state !== 'revoked').map((key) => key.public_jwk) }
  }

  async list(): Promise<ListedKey[]> {
    return (await this.#settled()).map(({ kid, alg, state }) => ({ kid, alg, state }))
  }

  /** Makes the published `next` key sign from now on; answers its kid. A `next` that no secret opens is replaced. */
  async rotate(): Promise<Rotated> {
    const ring = await this.#ring
    const settled = await this.#settled()
    const may = handRotation(settled, this.#now())
    if (!may.ok) return may
    const waiting = settled.find((key) => key.state === 'next')
    const usable = waiting !== undefined && (await unwrapKey(waiting, ring)) !== null
    const [fresh, spare] = await Promise.all([this.#generate(), usable ? null : this.#generate()])
    return this.#change((now): Rotated => {
      const keys = this.#keys.all()
      const next = keys.find((key) => key.state === 'next')
      const active = keys.find((key) => key.state === 'active')
      if (next && !spare) {
        this.#keys.apply(promote(active, next), now)
        this.#insert(fresh, 'next', now)
        return { ok: true, kid: next.kid }
      }
      if (active) this.#keys.setState(active.kid, 'retired', now)
      if (next) this.#keys.apply([{ kid: next.kid, state: 'gone' }], now)
      this.#insert(fresh, 'active', now)
      this.#insert(spare ?? fresh, 'next', now)
      return { ok: true, kid: fresh.kid }
    })
  }

  /**
   * Emergency: denies everything this key signed, takes it out of the key set at once and lets the next one sign. Null: no such key.
   * `denied` false: the list could not be reached; the alarm goes on trying, and so does a repeated call.
   */
  async revoke(kid: string): Promise<{ denied: boolean } | null> {
    const keys = await this.#settled()
    if (!keys.some((key) => key.kid === kid)) return null
    const fresh = await this.#generate()
    this.#change((now) => {
      const key = this.#keys.all().find((row) => row.kid === kid)
      if (!key || key.state === 'revoked') return
      const next = this.#keys.all().find((row) => row.state === 'next')
      this.#keys.setState(kid, 'revoked', now)
      if (key.state === 'active' && next) this.#keys.setState(next.kid, 'active', now)
      if (key.state === 'active' || key.state === 'next') this.#insert(fresh, 'next', now)
      this.#outbox.add({ target: 'denial', body: denyKey(kid, now) }, now)
    })
    return { denied: (await this.#deliver()).denied }
  }

  override async alarm(): Promise<void> {
    await this.#settled()
    await this.#deliver()
  }

  /** The keys after everything that is due has happened and everything that is missing has been made. */
  async #settled(): Promise<KeyRow[]> {
    const ring = await this.#ring
    const keys = this.#keys.all()
    const settled = dueSteps(keys, this.#now()).length === 0 && keys.some(isActive) && keys.some(isNext)
    const stale = keys.filter((key) => key.secret_id !== ring.newest.id && ring.find(key.secret_id))
    if (settled && stale.length === 0) return keys
    const [active, next, rewrapped] = await Promise.all([
      this.#generate(),
      this.#generate(),
      Promise.all(stale.map((key) => rewrap(key, ring))),
    ])
    return this.#change((now) => {
      this.#keys.apply(dueSteps(this.#keys.all(), now), now)
      for (const key of rewrapped) if (key) this.#keys.rewrap(key.kid, key.wrapped, key.iv, key.secret_id)
      if (!this.#keys.all().some(isActive)) this.#insert(active, 'active', now)
      if (!this.#keys.all().some(isNext)) this.#insert(next, 'next', now)
      return this.#keys.all()
    })
  }

  #insert(key: GeneratedKey, state: KeyState, now: number): void {
    this.#keys.insert({ ...key, state, created_at: now, state_at: now })
  }

  async #generate(): Promise<GeneratedKey> {
    return generateKey(this.#config.signingAlg, await this.#ring)
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

  /** One alarm for whatever comes first: a step of the schedule, or another try at the outbox. */
  #setAlarm(): void {
    const letters = this.#outbox.pending(1)
    const due = nextDue(this.#keys.all())
    const times = [...(letters.length > 0 ? [Date.now() + retryDelay(letters, Date.now())] : []), ...(due === null ? [] : [due * 1000])]
    if (times.length > 0) void this.ctx.storage.setAlarm(Math.min(...times))
  }

  #now(): number {
    return Math.floor(Date.now() / 1000)
  }
}

const isActive = (key: KeyRow) => key.state === 'active'
const isNext = (key: KeyRow) => key.state === 'next'

async function rewrap(key: KeyRow, ring: SecretRing) {
  const clear = await unwrapKey(key, ring)
  return clear && { kid: key.kid, ...(await wrapKey(clear, key.kid, ring)) }
}
