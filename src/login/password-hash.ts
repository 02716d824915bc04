import Argon2, { Argon2Type, Argon2Version } from '@phi-ag/argon2'
import wasm from '@phi-ag/argon2/argon2.wasm'
import { decodeBase64url, encodeBase64url } from '../protocol/base64url.ts'

const SALT_BYTES = 16
const DIGEST_BYTES = 32

/** How one password was hashed (RFC 9106). `m` is in KiB, `salt` is base64url. Not secret: the Worker needs it to hash a try. */
export type HashParameters = {
  alg: 'argon2id'
  m: number
  t: number
  p: number
  salt: string
}

/** What a new hash costs: about 50 ms and 19 MiB, OWASP's second Argon2id choice. */
export const CURRENT_PARAMETERS = { alg: 'argon2id', m: 19_456, t: 2, p: 1 } as const

/** Today's parameters with a fresh random salt. */
export function newParameters(): HashParameters {
  return { ...CURRENT_PARAMETERS, salt: encodeBase64url(crypto.getRandomValues(new Uint8Array(SALT_BYTES))) }
}

/**
 * Answers the 32-byte Argon2id digest of the password's UTF-8 bytes as base64url. Synchronous; blocks the isolate for about 50 ms,
 * so call it within a `HashQueue`. The password is taken as it is: pass what `normalizePassword` or `checkNewPassword` answered.
 * Throws on parameters that no row of ours can hold.
 */
export function hashPassword(password: string, parameters: HashParameters): string {
  const salt = decodeBase64url(parameters.salt)
  if (salt === null) throw new Error('the salt is not base64url')
  const { hash } = argon2().hash(withByteLength(password), {
    salt,
    memoryCost: parameters.m,
    timeCost: parameters.t,
    parallelism: parameters.p,
    hashLength: DIGEST_BYTES,
    type: Argon2Type.Argon2id,
    version: Argon2Version.Version13,
  })
  return encodeBase64url(hash)
}

/** The PHC string of a password with today's parameters and a fresh salt. Blocks as `hashPassword` does. */
export function hashNew(password: string): string {
  const parameters = newParameters()
  return encodePhc(parameters, hashPassword(password, parameters))
}

/** Answers whether a password just proven right should be hashed anew: its parameters are not today's. */
export function needsRehash(parameters: HashParameters): boolean {
  const { alg, m, t, p } = CURRENT_PARAMETERS
  const salt = decodeBase64url(parameters.salt)
  return parameters.alg !== alg || parameters.m !== m || parameters.t !== t || parameters.p !== p || salt?.length !== SALT_BYTES
}

/** Writes the PHC string that a row holds; `digest` as `hashPassword` answers it. */
export function encodePhc(parameters: HashParameters, digest: string): string {
  const { alg, m, t, p, salt } = parameters
  return `$${alg}$v=19$m=${m},t=${t},p=${p}$${toStandardAlphabet(salt)}$${toStandardAlphabet(digest)}`
}

/** Reads a PHC string of ours: Argon2id, version 19, a 32-byte digest; null for anything else. */
export function decodePhc(text: string): { parameters: HashParameters; digest: string } | null {
  const match = /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text)
  if (match === null) return null
  const [, m, t, p, standardSalt = '', standardDigest = ''] = match
  const salt = toUrlAlphabet(standardSalt)
  const digest = toUrlAlphabet(standardDigest)
  if (decodeBase64url(salt) === null || decodeBase64url(digest)?.length !== DIGEST_BYTES) return null
  return { parameters: { alg: 'argon2id', m: Number(m), t: Number(t), p: Number(p), salt }, digest }
}

let instance: Argon2 | undefined

/** One for each isolate, made at the first hash: verifying tokens never pays for it. */
function argon2(): Argon2 {
  instance ??= new Argon2(new WebAssembly.Instance(wasm))
  return instance
}

/**
 * The library writes the string's UTF-8 bytes, but hashes only as many of them as the string has UTF-16 units: the end of a
 * non-ASCII password would not count. Filler behind it makes both numbers equal, and is itself never hashed.
 */
function withByteLength(password: string): string {
  const byteLength = new TextEncoder().encode(password).length
  return password + '.'.repeat(byteLength - password.length)
}

function toStandardAlphabet(base64url: string): string {
  return base64url.replaceAll('-', '+').replaceAll('_', '/')
}

function toUrlAlphabet(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_')
}
