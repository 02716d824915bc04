import { type CryptoKey, exportJWK, generateKeyPair } from 'jose'

/** A client's key for private_key_jwt, and what it registers; the kid is the algorithm. */
export async function clientKey(alg: string): Promise<{ key: CryptoKey; jwks: { keys: Record<string, string>[] } }> {
  const { publicKey, privateKey } = await generateKeyPair(alg)
  const members = Object.entries(await exportJWK(publicKey)).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))
  return { key: privateKey, jwks: { keys: [{ ...Object.fromEntries(members), kid: alg }] } }
}
