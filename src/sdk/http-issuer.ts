// The issuer over HTTP: its keys and its revocation list, each answer limited in size, time, type and place.

import { FEED_CONTENT_TYPE } from '../protocol/feed.ts'
import type { IssuerSource, VerifierBinding } from './binding.ts'
import { type HttpAnswer, readAnswer } from './http-answer.ts'
import { isObject, readStrictJson } from './strict-json.ts'

/** How a request is sent; the global `fetch` is one. Without a `method` it is a GET. */
export type Fetch = (
  url: string,
  init: { method?: 'POST'; redirect: 'manual'; headers: Record<string, string>; body?: string; signal: AbortSignal },
) => Promise<HttpAnswer>

/** Lets the issuer be asked about a token without a binding: `introspection()` of `sallyport/introspection` is one. */
export type Introspection = (issuer: string, send: Fetch) => VerifierBinding['check']

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

async function read(send: Fetch, url: string, types: readonly string[], limit: number): Promise<Uint8Array> {
  // `manual`, because workerd throws on `error`.
  const init = { redirect: 'manual', headers: { accept: types.join() }, signal: AbortSignal.timeout(TIME_LIMIT) } as const
  return readAnswer(await send(url, init), url, types, limit)
}

const isKeySet = (value: unknown): value is { keys: readonly object[] } => isObject(value) && Array.isArray(value.keys)
