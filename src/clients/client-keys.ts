import { decodeBase64url } from '../protocol/base64url.ts'

/**
 * The algorithms by which a client may sign its assertions (RFC 7518, 3.1; RFC 8037, 3.1; RFC 9864, 2.2): what may be registered, what is
 * taken, and what `token_endpoint_auth_signing_alg_values_supported` names.
 */
export const ASSERTION_ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const

const MAX_KEYS = 16
const MAX_TEXT = 256
const MAX_RSA_BYTES = 1024
const MIN_RSA_BYTES = 256

/** One of these is in every private or symmetric key (RFC 7518, 6.2.2, 6.3.2 and 6.4; `priv`: the AKP draft). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

type Jwks = { keys: readonly object[] }
export type ReadKeys = { ok: true; jwks: Jwks; usable: number } | { ok: false; description: string }

/**
 * A client's key set by value (RFC 7517, 5): the public keys that we know how to use, each with its checked members only, so that nothing
 * else that a stranger put there is kept. Other kinds of key are left out; a private or symmetric one makes the whole set refused, for
 * whoever sent it has just told it to somebody.
 */
export function readClientKeys(value: unknown): ReadKeys {
  const keys = membersOf(value)?.get('keys')
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    return { ok: false, description: `jwks must be a key set of at most ${MAX_KEYS} keys` }
  const kept: object[] = []
  for (const item of keys) {
    const members = membersOf(item)
    if (!members) return { ok: false, description: 'jwks must hold JSON Web Keys' }
    if (isSecret(members)) {
      return { ok: false, description: 'jwks must hold public keys only; a private or symmetric key was sent: replace it' }
    }
    const key = readPublicKey(members)
    if (key) kept.push(key)
  }
  const kids = kept.flatMap((key) => ('kid' in key ? [key.kid] : []))
  if (new Set(kids).size < kids.length) return { ok: false, description: 'jwks must not use a kid twice' }
  return { ok: true, jwks: { keys: kept }, usable: kept.length }
}

/**
 * What we can use of keys that a client publishes: their checked members only. Unlike a set by value nothing is refused, for it is fetched
 * again and again, and may hold keys for others; but what a stranger wrote beside them is not kept in anybody's memory.
 */
export function usableKeys(keys: readonly unknown[]): object[] {
  return keys.flatMap((item): object[] => {
    const members = membersOf(item)
    const key = members && !isSecret(members) ? readPublicKey(members) : null
    return key ? [key] : []
  })
}

const isSecret = (members: ReadonlyMap<string, unknown>): boolean =>
  PRIVATE_MEMBERS.some((name) => members.has(name)) || members.get('kty') === 'oct'

const membersOf = (value: unknown): Map<string, unknown> | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : null

/** The members of each kind of key, with the algorithms it signs by and the sizes of what it is made of, in bytes. */
const KINDS: readonly {
  kty: string
  crv?: string
  algs: readonly string[]
  material: Readonly<Record<string, readonly [number, number]>>
}[] = [
  { kty: 'EC', crv: 'P-256', algs: ['ES256'], material: { x: [32, 32], y: [32, 32] } },
  { kty: 'OKP', crv: 'Ed25519', algs: ['EdDSA', 'Ed25519'], material: { x: [32, 32] } },
  { kty: 'RSA', algs: ['PS256', 'RS256'], material: { n: [MIN_RSA_BYTES, MAX_RSA_BYTES], e: [3, 4] } },
]

function readPublicKey(members: ReadonlyMap<string, unknown>): Record<string, unknown> | null {
  const kind = KINDS.find(({ kty, crv }) => members.get('kty') === kty && members.get('crv') === crv)
  const [kid, alg, use, operations] = ['kid', 'alg', 'use', 'key_ops'].map((name) => members.get(name))
  if (!kind || (use !== undefined && use !== 'sig')) return null
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return null
  if (alg !== undefined && !(typeof alg === 'string' && kind.algs.includes(alg))) return null
  if (kid !== undefined && !(typeof kid === 'string' && kid !== '' && kid.length <= MAX_TEXT)) return null
  const key: Record<string, unknown> = { kty: kind.kty, ...(kind.crv ? { crv: kind.crv } : {}) }
  for (const [name, [least, most]] of Object.entries(kind.material)) {
    const text = members.get(name)
    const bytes = typeof text === 'string' && text.length <= MAX_RSA_BYTES * 2 ? decodeBase64url(text) : null
    if (!bytes || bytes.length < least || bytes.length > most || (kind.kty === 'RSA' && bytes[0] === 0)) return null
    key[name] = text
  }
  return { ...key, ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }), use: 'sig' }
}
