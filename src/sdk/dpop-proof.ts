// DPoP proofs (RFC 9449 4): what one must say, for which request, and by which key. Whether it was seen before is the caller's to know.

import { CLOCK_SKEW } from '../protocol/claims.ts'
import { importProofKey, jwkThumbprint, PROOF_ALGORITHMS, proofAlgorithm, sha256 } from './proof-key.ts'
import { isNumericDate, isText, readStrictJws } from './strict-jws.ts'
import { verifySignature } from './verify-signature.ts'

/** The algorithms of proofs, as metadata and challenges name them: asymmetric ones, without RSA's old padding. */
export const DPOP_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256'] as const

/** Seconds that a proof is good for after its `iat`; the clocks may differ by `CLOCK_SKEW` besides, to either side. */
export const PROOF_LIFETIME = 60

const TYP = 'dpop+jwt'
const MAX_JTI = 256
const MAX_NONCE = 256
const MAX_HTU = 2048

/** What a proof is checked against. */
export type ProofDemands = {
  /** Seconds since 1970. */
  now: number
  method: string
  /** The request's absolute URL; its query and fragment do not count. */
  url: string
  /** The access token that comes with the proof: `ath` must be its hash. */
  accessToken?: string | undefined
  /** Whether a nonce (null: none) is one that was given out lately. Without this function none is asked for. */
  isNonce?: ((nonce: string | null) => boolean | Promise<boolean>) | undefined
}

/** A good proof: the thumbprint of its key, and what to remember it by until `expires_at` (seconds), when it is good no more. */
export type DpopProof = { jkt: string; jti: string; iat: number; expires_at: number }

/** `use_dpop_nonce`: good but for its nonce, so that the client may ask again with the right one (RFC 9449 8). */
export type DpopCheck = ({ ok: true } & DpopProof) | { ok: false; error: 'invalid_dpop_proof' | 'use_dpop_nonce'; reason: string }

/** Checks the value of a `DPoP` header (RFC 9449 4.3); two headers arrive joined by a comma, which no JWS holds. Never throws. */
export async function checkDpopProof(proof: string, demands: ProofDemands): Promise<DpopCheck> {
  const reading = readStrictJws(proof, ['jwk'])
  if (!reading.ok) return refuse(reading.reason)
  const { header, payload, signed, signature } = reading.jws
  if (header.typ !== TYP) return refuse('typ')
  const alg = DPOP_ALGORITHMS.some((name) => name === header.alg) ? proofAlgorithm(header.alg) : null
  if (alg === null) return refuse('alg')
  const claims = readClaims(payload, demands)
  if (!claims.ok) return refuse(claims.reason)
  const { jti, iat, nonce } = claims
  if (demands.accessToken !== undefined && payload.ath !== (await sha256(demands.accessToken))) return refuse('ath')
  const key = await importProofKey(header.jwk, alg)
  const jkt = key === null ? null : await jwkThumbprint(header.jwk)
  if (key === null || jkt === null) return refuse('jwk')
  if (!(await verifySignature(key, { alg, signed, signature }, PROOF_ALGORITHMS))) return refuse('signature')
  if (demands.isNonce !== undefined && !(await demands.isNonce(nonce))) {
    return { ok: false, error: 'use_dpop_nonce', reason: 'nonce' }
  }
  return { ok: true, jkt, jti, iat, expires_at: Math.floor(iat) + PROOF_LIFETIME + CLOCK_SKEW + 1 }
}

type Claims = { ok: true; jti: string; iat: number; nonce: string | null } | { ok: false; reason: string }

/** The claims; else `reason` names the first that is absent, of another shape, or not of this request and moment. */
function readClaims(payload: Readonly<Record<string, unknown>>, { now, method, url }: ProofDemands): Claims {
  const { jti, htm, htu, iat, nbf, exp, nonce = null } = payload
  const wrong = (reason: string): Claims => ({ ok: false, reason })
  if (!isText(jti, MAX_JTI)) return wrong('jti')
  if (htm !== method) return wrong('htm')
  const target = normalUrl(url)
  if (target === null || !isText(htu, MAX_HTU) || normalUrl(htu) !== target) return wrong('htu')
  if (!isNumericDate(iat) || iat > now + CLOCK_SKEW || iat < now - PROOF_LIFETIME - CLOCK_SKEW) return wrong('iat')
  // Neither is asked for; what they say must hold all the same.
  if (nbf !== undefined && (!isNumericDate(nbf) || nbf > now + CLOCK_SKEW)) return wrong('nbf')
  if (exp !== undefined && (!isNumericDate(exp) || exp <= now - CLOCK_SKEW)) return wrong('exp')
  if (nonce !== null && !isText(nonce, MAX_NONCE)) return wrong('nonce')
  return { ok: true, jti, iat, nonce }
}

/** An http(s) URL in printable ASCII without user information. The parser alone would mend white space, backslashes and much more. */
const httpUrl = /^https?:\/\/[\w.:[\]-]+(?:[/?#][!-[\]-~]*)?$/i

/**
 * A URL without query and fragment, in one spelling (RFC 9449 4.3; RFC 3986 6.2.2 and 6.2.3): case of scheme and host, default port, dot
 * segments, percent-encoding. The case of the path counts, and so does its last slash.
 */
function normalUrl(text: string): string | null {
  if (!httpUrl.test(text) || !URL.canParse(text)) return null
  const { protocol, host, pathname } = new URL(text)
  const path = pathname.replace(/%[0-9a-f]{2}/gi, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return /[\w.~-]/.test(character) ? character : code.toUpperCase()
  })
  return `${protocol}//${host}${path}`
}

const refuse = (reason: string): DpopCheck => ({ ok: false, error: 'invalid_dpop_proof', reason })
