/** The algorithms we can sign with (RFC 7518, 3.1; EdDSA with Ed25519, RFC 8037). */
export const SIGNING_ALGORITHMS = ['ES256', 'EdDSA', 'RS256'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/**
 * What a deployment has keys for: the algorithm of its access tokens first, and RS256, which every OpenID Connect client takes (Core, 15.1).
 * ID tokens can be signed with each of them.
 */
export const algorithmsOf = (signingAlg: SigningAlgorithm): readonly SigningAlgorithm[] => [...new Set([signingAlg, 'RS256' as const])]

/** `next` is published and not yet used, `active` signs, `retired` is published until its last token is dead, `revoked` is denied and gone. */
export type KeyState = 'next' | 'active' | 'retired' | 'revoked'

export type PublicJwk = JsonWebKey & { kid: string; alg: SigningAlgorithm; use: 'sig' }

/** A private key at rest: PKCS #8 under AES-256-GCM, with the kid as additional data. */
export type WrappedKey = { wrapped: ArrayBuffer; iv: ArrayBuffer; secret_id: string }

export type KeyRow = WrappedKey & {
  kid: string
  alg: SigningAlgorithm
  public_jwk: PublicJwk
  state: KeyState
  created_at: number
  /** When it came into its state, integer seconds. */
  state_at: number
}
