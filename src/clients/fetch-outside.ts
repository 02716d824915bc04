import { type OutsideRules, outsideRefusal } from './public-address.ts'

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** `timeout` in milliseconds, for the whole exchange; `maxBytes` of the answer as it is read, after decompression. */
export type OutsideRequest = { method?: 'GET' | 'POST'; headers?: Record<string, string>; body?: string; timeout: number; maxBytes: number }
export type OutsideAnswer = { ok: true; status: number; contentType: string; bytes: Uint8Array } | { ok: false; reason: string }

/**
 * The one way by which this Worker asks a URL that somebody else chose. The address is judged by outsideRefusal; a redirect is not followed
 * (it would lead past that judgement), nothing of ours goes along, and neither a slow nor an endless answer holds anybody up.
 */
export async function fetchOutside(
  url: string,
  { method = 'GET', headers = {}, body, timeout, maxBytes }: OutsideRequest,
  rules: OutsideRules & { fetch: Fetch },
): Promise<OutsideAnswer> {
  const refusal = outsideRefusal(url, rules)
  if (refusal) return { ok: false, reason: `the address ${refusal}` }
  const stop = new AbortController()
  const timer = setTimeout(() => stop.abort(), timeout)
  try {
    const init: RequestInit = { method, headers, redirect: 'manual', signal: stop.signal, ...(body === undefined ? {} : { body }) }
    const response = await untilStopped(rules.fetch(url, init), stop.signal)
    const { status } = response
    if (status < 200 || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      return { ok: false, reason: 'it redirects' }
    }
    const bytes = await untilStopped(readAtMost(response, maxBytes), stop.signal)
    return bytes
      ? { ok: true, status, contentType: response.headers.get('Content-Type') ?? '', bytes }
      : { ok: false, reason: `it is larger than ${maxBytes} bytes` }
  } catch (cause) {
    return { ok: false, reason: stop.signal.aborted ? 'it did not answer in time' : `it cannot be reached: ${String(cause).slice(0, 200)}` }
  } finally {
    clearTimeout(timer)
    stop.abort()
  }
}

/** Not every stream ends when its signal says so. */
function untilStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true })
  })
  return Promise.race([work, stopped])
}

/** Null: there is more than that, and nothing further is read. */
async function readAtMost(response: Response, maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = response.body?.getReader()
  if (Number(response.headers.get('Content-Length') ?? 0) > maxBytes) size = maxBytes + 1
  while (size <= maxBytes) {
    const read = await reader?.read()
    if (!read || read.done) break
    size += read.value.length
    chunks.push(read.value)
  }
  if (size > maxBytes) {
    await reader?.cancel()
    return null
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
