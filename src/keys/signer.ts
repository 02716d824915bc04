import { encodeBase64url } from '../protocol/base64url.ts'
import { ACCESS_TOKEN_TYP } from '../protocol/claims.ts'
import { unwrapKey, WEB_CRYPTO } from './generate.ts'
import type { SigningAlgorithm, WrappedKey } from './key.ts'
import { SIGNER_CACHE_SECONDS } from './rotation.ts'
import type { SecretRing } from './secret-ring.ts'

/** The key that signs now, still wrapped, and when the schedule makes another one take over. */
export type ActiveKey = WrappedKey & { kid: string; alg: SigningAlgorithm; signs_until: number }

/** Keeps work going that outlives the request that started it. */
export type WaitUntil = (work: Promise<unknown>) => void

export type SignerSource = {
  /** The key that signs now with an algorithm; undefined: the one that signs access tokens. */
  activeKey(alg: SigningAlgorithm | undefined): Promise<ActiveKey>
  /** What the revocation list says of this key, from a view within its bound; `unknown` while the list cannot be had. */
  keyStatus(kid: string, waitUntil?: WaitUntil): Promise<'good' | 'denied' | 'unknown'>
}

export type Sign = (claims: object) => Promise<string>

/**
 * What is signed when it is no access token: with which of the deployment's algorithms, and the `typ` that keeps it from being taken for
 * another kind of token (RFC 8725, 3.11).
 */
export type SigningUse = { alg: SigningAlgorithm; typ: string }

/** None of the secrets opens the signing key: SALLYPORT_SECRET was replaced instead of extended. */
export class SecretRingError extends Error {
  override name = 'SecretRingError'
}

type LoadedKey = { kid: string; alg: SigningAlgorithm; key: CryptoKey; loaded_at: number; signs_until: number }
type Slot = SigningAlgorithm | 'access'

const text = new TextEncoder()
const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An isolate asks again this often, so that a rotation by hand is followed soon; the hard limit is SIGNER_CACHE_SECONDS. */
const RELOAD_SECONDS = 60

/**
 * Signs access tokens (RFC 9068), ID tokens and the like with the active key of each algorithm, which it keeps unwrapped and
 * non-extractable for a few minutes. A value is cached, never a promise: a request that is cancelled must not take others with it.
 */
export class Signer {
  #ring: SecretRing
  #source: SignerSource
  #loaded = new Map<Slot, LoadedKey>()
  /** The encoded headers of the loaded keys. */
  #headers = new Map<string, string>()

  constructor(ring: SecretRing, source: SignerSource) {
    this.#ring = ring
    this.#source = source
  }

  /**
   * Answers how to sign: a function from claims to their compact JWS, exactly as given. Asked for before something is changed that would be
   * lost without its token. `now` in integer seconds. Without `use` it signs access tokens.
   */
  async prepare(now: number, waitUntil?: WaitUntil, use?: SigningUse): Promise<Sign> {
    const { alg, kid, key } = await this.#key(use?.alg, now, waitUntil)
    const header = this.#header(alg, use?.typ ?? ACCESS_TOKEN_TYP, kid)
    return async (claims) => {
      const input = `${header}.${segment(claims)}`
      const signature = await crypto.subtle.sign(WEB_CRYPTO[alg], key, text.encode(input))
      return `${input}.${encodeBase64url(new Uint8Array(signature))}`
    }
  }

  /** The key set has changed: the next token asks it again. */
  forget(): void {
    this.#loaded.clear()
    this.#headers.clear()
  }

  #header(alg: SigningAlgorithm, typ: string, kid: string): string {
    const name = `${kid} ${typ}`
    const held = this.#headers.get(name)
    if (held !== undefined) return held
    const header = segment({ alg, typ, kid })
    this.#headers.set(name, header)
    return header
  }

  async #key(alg: SigningAlgorithm | undefined, now: number, waitUntil: WaitUntil | undefined): Promise<LoadedKey> {
    let key = this.#loaded.get(alg ?? 'access')
    if (!key || now >= key.signs_until || now >= key.loaded_at + RELOAD_SECONDS) {
      try {
        key = await this.#load(alg, now)
      } catch (cause) {
        // A key set that cannot be reached for a moment stops no sign-in, as long as this key may sign.
        if (!key || now >= key.signs_until || now >= key.loaded_at + SIGNER_CACHE_SECONDS || cause instanceof SecretRingError) throw cause
      }
    }
    if ((await this.#source.keyStatus(key.kid, waitUntil)) === 'good') return key
    // Denied, or the list is out of reach: the key set itself never answers a revoked key.
    return this.#load(alg, now)
  }

  async #load(alg: SigningAlgorithm | undefined, now: number): Promise<LoadedKey> {
    const slot = alg ?? 'access'
    const active = await this.#source.activeKey(alg)
    const held = this.#loaded.get(slot)
    const loaded = { kid: active.kid, alg: active.alg, loaded_at: now, signs_until: active.signs_until }
    const key = held?.kid === active.kid ? held.key : await this.#unwrapped(active)
    if (held?.kid !== active.kid) this.#headers.clear()
    this.#loaded.set(slot, { ...loaded, key })
    return { ...loaded, key }
  }

  async #unwrapped(active: ActiveKey): Promise<CryptoKey> {
    const pkcs8 = await unwrapKey(active, this.#ring)
    if (!pkcs8) throw new SecretRingError('no secret of SALLYPORT_SECRET opens the signing key')
    return crypto.subtle.importKey('pkcs8', pkcs8, WEB_CRYPTO[active.alg], false, ['sign'])
  }
}
