import { type Fetch, fetchOutside } from '../../clients/fetch-outside.ts'
import type { OutsideRules } from '../../clients/public-address.ts'
import { readStrictJson } from '../../sdk/strict-json.ts'
import type { AppContext } from '../context.ts'

export const MAX_DOCUMENT_BYTES = 64 * 1024
export const DOCUMENT_TIMEOUT_MS = 5_000
/** How long an answer is kept, and how long a refusal. */
const KEPT_MS = 300_000
const REFUSED_MS = 30_000
/** So many answers are kept, and together so many characters: an isolate's memory is everybody's. */
const MAX_KEPT = 500
const MAX_KEPT_CHARACTERS = 8 * 1024 * 1024

export type FetchedDocument = { ok: true; document: Readonly<Record<string, unknown>> } | { ok: false; reason: string }

/** `maxAgeMs`: how old a kept answer may be (no answer is kept for more than 5 minutes). A refusal is kept for 30 s whatever is said. */
export type DocumentFetcher = (url: string, options?: { maxAgeMs?: number }) => Promise<FetchedDocument>

type Kept = { fetchedMs: number; answer: { ok: true; text: string } | { ok: false; reason: string } }

/**
 * Fetches JSON objects from addresses that others chose (client metadata documents, key sets), under the policy of fetchOutside. Values are
 * kept, never promises: a request that is cancelled must not take others with it. What is kept is text, whose size is known.
 */
export function documentFetcher(rules: OutsideRules & { fetch: Fetch; nowMs: () => number }): DocumentFetcher {
  const kept = new Map<string, Kept>()
  let characters = 0
  const sizeOf = (url: string, { answer }: Kept) => url.length + (answer.ok ? answer.text.length : answer.reason.length)

  function drop(url: string): void {
    const it = kept.get(url)
    if (!it) return
    characters -= sizeOf(url, it)
    kept.delete(url)
  }

  function keep(url: string, it: Kept): void {
    drop(url)
    kept.set(url, it)
    characters += sizeOf(url, it)
    for (const oldest of kept.keys()) {
      if (kept.size <= MAX_KEPT && characters <= MAX_KEPT_CHARACTERS) break
      drop(oldest)
    }
  }

  function held(url: string, maxAgeMs: number): Kept['answer'] | null {
    const it = kept.get(url)
    const age = it ? rules.nowMs() - it.fetchedMs : 0
    if (!it || age < 0 || age >= (it.answer.ok ? Math.min(maxAgeMs, KEPT_MS) : REFUSED_MS)) return null
    return it.answer
  }

  return async (url, { maxAgeMs = KEPT_MS } = {}) => {
    const before = held(url, maxAgeMs)
    if (before) return read(before)
    const answer = await ask(url, rules)
    // What the address itself forbids costs nothing to find out again.
    if (answer.ok || answer.asked) keep(url, { fetchedMs: rules.nowMs(), answer })
    return read(answer)
  }
}

const read = (answer: Kept['answer']): FetchedDocument =>
  answer.ok ? { ok: true, document: JSON.parse(answer.text) as Readonly<Record<string, unknown>> } : { ok: false, reason: answer.reason }

const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i

async function ask(
  url: string,
  rules: OutsideRules & { fetch: Fetch },
): Promise<{ ok: true; text: string } | { ok: false; reason: string; asked: boolean }> {
  let asked = false
  const fetch: Fetch = (address, init) => {
    asked = true
    return rules.fetch(address, init)
  }
  const headers = { Accept: 'application/json' }
  const answer = await fetchOutside(url, { headers, timeout: DOCUMENT_TIMEOUT_MS, maxBytes: MAX_DOCUMENT_BYTES }, { ...rules, fetch })
  const refuse = (reason: string) => ({ ok: false as const, reason, asked })
  if (!answer.ok) return refuse(answer.reason)
  if (answer.status !== 200) return refuse(`it answers ${answer.status}`)
  if (!JSON_TYPE.test(answer.contentType)) return refuse('it is not application/json')
  const reading = readStrictJson(answer.bytes)
  if (!reading.ok) return refuse('it is not JSON with one reading')
  if (typeof reading.value !== 'object' || reading.value === null || Array.isArray(reading.value)) return refuse('it is not a JSON object')
  return { ok: true, text: new TextDecoder().decode(answer.bytes) }
}

/** The JSON object at a URL that somebody else chose, or why it cannot be had; the reason is for the log. */
export const fetchDocument = (c: AppContext, url: string, options?: { maxAgeMs?: number }): Promise<FetchedDocument> =>
  c.get('services').documents(url, options)
