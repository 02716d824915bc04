// The issuer over HTTP: its keys and its revocation list, each answer limited in size, time, type and place.

import { FEED_CONTENT_TYPE } from '../protocol/feed.ts'
import type { IssuerSource } from './binding.ts'
import { isObject, readStrictJson } from './strict-json.ts'

/** How a request is sent; the global `fetch` is one. */
export type Fetch = (
  url: string,
  init: { redirect: 'manual'; headers: Record<string, string>; signal: AbortSignal },
) => Promise<Pick<Response, 'status' | 'headers' | 'body'>>

/** Bytes. */
const MAX_JWKS = 65_536
const MAX_FEED = 16_777_216
/** Milliseconds for a whole answer. Whoever waits for one gives up earlier; a late one is used all the same. */
const TIME_LIMIT = 5000

/** `issuer` is its origin. Every failure rejects. */
export const httpIssuer = (issuer: string, send: Fetch): IssuerSource => ({
  async jwks() {
    const bytes = await read(send, `${issuer}/.well-known/jwks.json`, ['application/json', 'application/jwk-set+json'], MAX_JWKS)
    const reading = readStrictJson(bytes)
    if (!reading.ok || !isKeySet(reading.value)) throw new Error('not a key set')
    return reading.value
  },
  revocations: (after) => read(send, `${issuer}/revocations${after === null ? '' : `?after=${after}`}`, [FEED_CONTENT_TYPE], MAX_FEED),
})

/** A redirect is no answer: the keys would then be those of whoever it leads to. */
async function read(send: Fetch, url: string, types: readonly string[], limit: number): Promise<Uint8Array> {
  // `manual`, because workerd throws on `error`.
  const init = { redirect: 'manual', headers: { accept: types.join() }, signal: AbortSignal.timeout(TIME_LIMIT) } as const
  const { status, headers, body } = await send(url, init)
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (status !== 200 || type === undefined || !types.includes(type) || body === null) {
    void body?.cancel().catch(() => {})
    throw new Error(`${url}: ${status} ${type}`)
  }
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  // Leaving it cancels the rest.
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.length
    if (size > limit) throw new Error(`${url}: too large`)
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}

const isKeySet = (value: unknown): value is { keys: readonly object[] } => isObject(value) && Array.isArray(value.keys)
