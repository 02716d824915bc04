// Public test vectors (Wycheproof, the JOSE cookbook), which lie beside the project. Without them their suites are skipped, visibly.

import { encodeBase64url } from '../../src/protocol/base64url.ts'

declare global {
  interface ImportMeta {
    /** Vite's: the files that match, by path; none where there is no such folder. */
    glob<T>(pattern: string, options: { import: 'default' }): Record<string, () => Promise<T>>
  }
}

export type Jwk = Record<string, unknown>
export type Vector = { tcId: number; comment: string; result: 'valid' | 'invalid' | 'acceptable' }

export type JwsVector = Vector & { jws: string }
export type JwsGroup = { comment: string; type: string; public?: Jwk; private?: Jwk; tests: JwsVector[] }
export type KeySetGroup = { comment: string; public?: { keys: Jwk[] }; private?: { keys: Jwk[] }; tests: JwsVector[] }
export type JweGroup = { tests: (Vector & { jwe?: unknown; jws?: unknown })[] }
export type SignatureGroup = {
  publicKey: { uncompressed?: string }
  publicKeyJwk?: Jwk
  keyJwk?: Jwk
  tests: (Vector & { msg: string; sig: string })[]
}

const wycheproof = import.meta.glob<{ testGroups: unknown }>('../../../shared/vectors/wycheproof/*_test.json', { import: 'default' })
const cookbook = import.meta.glob<unknown>('../../../shared/vectors/jose-cookbook/**/*.json', { import: 'default' })

/** Whether the vectors are there, at ../shared/vectors from the project's root. */
export const haveVectors = Object.keys(wycheproof).length > 0 && Object.keys(cookbook).length > 0

/** What to call a suite that needs them. */
export const vectorTitle = (title: string): string => (haveVectors ? title : `${title} (skipped: ../shared/vectors is not there)`)

/** The groups of a Wycheproof file, as their type says: the file's name fixes it. */
export async function groupsOf<G>(name: string): Promise<G[]> {
  const [, load] = Object.entries(wycheproof).find(([path]) => path.endsWith(`/${name}_test.json`)) ?? []
  if (load === undefined) throw new Error(`no vectors named ${name}`)
  return (await load()).testGroups as G[]
}

/** Every text in the cookbook's files, by file: tokens in all their serialisations among them. */
export async function cookbookTexts(): Promise<Record<string, string[]>> {
  const files = Object.entries(cookbook).map(async ([path, load]) => [path.split('/').slice(-2).join('/'), textsIn(await load())] as const)
  return Object.fromEntries(await Promise.all(files))
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return [JSON.stringify(value), ...Object.values(value).flatMap(textsIn)]
}

/** The public key of a group as a JWK; some groups have an EC point instead. */
export function publicJwkOf({ publicKey, publicKeyJwk, keyJwk }: SignatureGroup): Jwk {
  const jwk = publicKeyJwk ?? keyJwk
  if (jwk !== undefined) return jwk
  const point = bytesOf(publicKey.uncompressed ?? '')
  return { kty: 'EC', crv: 'P-256', x: encodeBase64url(point.slice(1, 33)), y: encodeBase64url(point.slice(33)) }
}

export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16))
}
