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
  activeKey(): Promise<ActiveKey>
  /** What the revocation list says of this key, from a view within its bound; `unknown` while the list cannot be had. */
  keyStatus(kid: string, waitUntil?: WaitUntil): Promise<'good' | 'denied' | 'unknown'>
}

export type Sign = (claims: object) => Promise<string>

/** None of the secrets opens the signing key: SALLYPORT_SECRET was replaced instead of extended. */
export class SecretRingError extends Error {
  override name = 'SecretRingError'
}

type LoadedKey = { kid: string; alg: SigningAlgorithm; key: CryptoKey; header: string; loaded_at: number; signs_until: number }

const text = new TextEncoder()
const segment = (value: object) => encodeBase64url(text.encode(JSON.stringify(value)))

/** An isolate asks again this often, so that a rotation by hand is followed soon; the hard limit is SIGNER_CACHE_SECONDS. */
const RELOAD_SECONDS = 60

/**
 * Signs access tokens (RFC 9068) with the active key, which it keeps unwrapped and non-extractable for a few minutes. A value is cached,
 * never a promise: a request that is cancelled must not take others with it.
 */
export class Signer {
  #ring: SecretRing
  #source: SignerSource
  #loaded: LoadedKey | null = null

  constructor(ring: SecretRing, source: SignerSource) {
    this.#ring = ring
    this.#source = source
  }

  /**
   * Answers how to sign: a function from claims to their compact JWS, exactly as given. Asked for before something is changed that would be
   * lost without its token. `now` in integer seconds.
   */
  async prepare(now: number, waitUntil?: WaitUntil): Promise<Sign> {
    const { alg, key, header } = await this.#key(now, waitUntil)
    return async (claims) => {
      const input = `${header}.${segment(claims)}`
      const signature = await crypto.subtle.sign(WEB_CRYPTO[alg], key, text.encode(input))
      return `${input}.${encodeBase64url(new Uint8Array(signature))}`
    }
  }

  /** The key set has changed: the next token asks it again. */
  forget(): void {
    this.#loaded = null
  }

  async #key(now: number, waitUntil: WaitUntil | undefined): Promise<LoadedKey> {
    let key = this.#loaded
    if (!key || now >= key.signs_until || now >= key.loaded_at + RELOAD_SECONDS) {
      try {
        key = await this.#load(now)
      } catch (cause) {
        // A key set that cannot be reached for a moment stops no sign-in, as long as this key may sign.
        if (!key || now >= key.signs_until || now >= key.loaded_at + SIGNER_CACHE_SECONDS || cause instanceof SecretRingError) throw cause
      }
    }
    if ((await this.#source.keyStatus(key.kid, waitUntil)) === 'good') return key
    // Denied, or the list is out of reach: the key set itself never answers a revoked key.
    return this.#load(now)
  }

  async #load(now: number): Promise<LoadedKey> {
    const active = await this.#source.activeKey()
    if (this.#loaded?.kid === active.kid) {
      this.#loaded = { ...this.#loaded, loaded_at: now, signs_until: active.signs_until }
      return this.#loaded
    }
    const pkcs8 = await unwrapKey(active, this.#ring)
    if (!pkcs8) throw new SecretRingError('no secret of SALLYPORT_SECRET opens the signing key')
    const { kid, alg, signs_until } = active
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, WEB_CRYPTO[alg], false, ['sign'])
    this.#loaded = { kid, alg, key, header: segment({ alg, typ: ACCESS_TOKEN_TYP, kid }), loaded_at: now, signs_until }
    return this.#loaded
  }
}
