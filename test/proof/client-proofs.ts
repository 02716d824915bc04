/** The one-time proofs of clients: assertions (RFC 7523) and DPoP proofs (RFC 9449), each made for one request. */
import { createHash, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Client } from '../support/node/http.ts'

export type ClientKey = { privateKey: CryptoKey; jwk: JWK; jkt: string }

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export async function makeKey(): Promise<ClientKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { privateKey, jwk, jkt: await calculateJwkThumbprint(jwk) }
}

const now = () => Math.floor(Date.now() / 1000)

/** A `client_assertion`, good for one request. */
export function makeAssertion({ privateKey }: ClientKey, client_id: string, issuer: string): Promise<string> {
  return new SignJWT({ iss: client_id, sub: client_id, aud: issuer, exp: now() + 60, iat: now(), jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .sign(privateKey)
}

export type Proven = { method: string; url: string; nonce?: string; accessToken?: string }

/** A `DPoP` header, good for one request. */
export function makeProof({ privateKey, jwk }: ClientKey, { method, url, nonce, accessToken }: Proven): Promise<string> {
  const ath = accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }
  return new SignJWT({ htm: method, htu: url, iat: now(), jti: randomUUID(), ...(nonce === undefined ? {} : { nonce }), ...ath })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
    .sign(privateKey)
}

/** The nonce that the next proof needs, as a client learns it: by a proof without one, before anything else is looked at. */
export async function dpopNonce(http: Client, key: ClientKey): Promise<string> {
  const proof = await makeProof(key, { method: 'POST', url: `${http.origin}/oauth/token` })
  const reply = await http.post('/oauth/token', new URLSearchParams({ grant_type: 'client_credentials' }), { dpop: proof })
  return String(reply.headers['dpop-nonce'])
}

/** A proof for the token endpoint, nonce and all. */
export async function tokenProof(http: Client, key: ClientKey): Promise<{ dpop: string }> {
  const nonce = await dpopNonce(http, key)
  return { dpop: await makeProof(key, { method: 'POST', url: `${http.origin}/oauth/token`, nonce }) }
}
