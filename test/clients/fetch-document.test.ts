import { describe, expect, test } from 'vitest'
import { fetchOutside } from '../../src/clients/fetch-outside.ts'
import { outsideRefusal } from '../../src/clients/public-address.ts'
import { documentFetcher, MAX_DOCUMENT_BYTES } from '../../src/http/oauth/fetch-document.ts'
import { ALLOWED, FORBIDDEN } from './ssrf-corpus.ts'

const PRODUCTION = { development: false, issuer: 'https://auth.example.com' }
const DEVELOPMENT = { development: true, issuer: 'http://localhost:8787' }
const URL_OF_IT = 'https://shop.example.com/client.json'
const JSON_TYPE = { 'Content-Type': 'application/json' }

/** A service outside that counts who asks it. */
function outside(answer: (url: string, init: RequestInit) => Response | Promise<Response> = () => Response.json({ here: true })) {
  const asked: string[] = []
  const inits: RequestInit[] = []
  let now = 1_000_000
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(url)
    inits.push(init)
    return answer(url, init)
  }
  return {
    asked,
    inits,
    later: (ms: number) => {
      now += ms
    },
    fetcher: (rules = PRODUCTION) => documentFetcher({ ...rules, fetch, nowMs: () => now }),
    fetch,
  }
}

describe('the corpus of addresses', () => {
  test('holds at least 500 that are forbidden, each once', () => {
    expect(new Set(FORBIDDEN).size).toBe(FORBIDDEN.length)
    expect(FORBIDDEN.length).toBeGreaterThanOrEqual(500)
  })

  test('sends the Worker nowhere in production', async () => {
    const { fetcher, fetch, asked } = outside()
    const get = fetcher()
    const taken: string[] = []
    for (const url of FORBIDDEN) {
      if ((await get(url)).ok) taken.push(url)
      if ((await fetchOutside(url, { method: 'POST', body: 'x', timeout: 100, maxBytes: 10 }, { ...PRODUCTION, fetch })).ok) taken.push(url)
    }
    expect([taken, asked]).toEqual([[], []])
  })

  test('in development sends it to loopback by plain http, and nowhere else', async () => {
    const { fetcher, asked } = outside()
    const get = fetcher(DEVELOPMENT)
    for (const url of FORBIDDEN) await get(url)
    const own = (url: string) => /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\//.test(url)
    const publicHost = (url: string) => /^https:\/\/(shop|auth)\.example\.com(:\d+)?\//.test(url)
    expect(asked.filter((url) => !own(url) && !publicHost(url))).toEqual([])
    expect(asked.filter(own).length).toBeGreaterThan(0)
    expect((await get('http://127.0.0.1:8787/x')).ok).toBe(false)
    expect((await get('http://[::1]:8787/x')).ok).toBe(false)
  })

  test('lets public addresses through as they were written', async () => {
    const { fetcher, asked } = outside()
    for (const url of ALLOWED) expect([url, (await fetcher()(url)).ok]).toEqual([url, true])
    expect(asked).toEqual([...ALLOWED])
    expect(ALLOWED.filter((url) => outsideRefusal(url, PRODUCTION) !== null)).toEqual([])
  })
})

describe('a document from outside', () => {
  test('is asked for without anything of ours, and without following', async () => {
    const { fetcher, inits } = outside()
    expect(await fetcher()(URL_OF_IT)).toEqual({ ok: true, document: { here: true } })
    expect(inits[0]).toMatchObject({ method: 'GET', redirect: 'manual', headers: { Accept: 'application/json' } })
    expect(Object.keys(inits[0]?.headers ?? {})).toEqual(['Accept'])
  })

  test.each<[string, () => Response | Promise<Response>]>([
    ['redirects', () => new Response(null, { status: 302, headers: { Location: 'http://169.254.169.254/' } })],
    ['redirects with a body', () => new Response('{}', { status: 307, headers: { ...JSON_TYPE, Location: 'https://shop.example.com/x' } })],
    ['is not there', () => Response.json({}, { status: 404 })],
    ['has no content', () => new Response(null, { status: 204, headers: JSON_TYPE })],
    ['fails', () => Response.json({}, { status: 500 })],
    ['cannot be reached', () => Promise.reject(new TypeError('no'))],
    ['is a page', () => new Response('{}', { headers: { 'Content-Type': 'text/html' } })],
    ['says no type', () => new Response(new TextEncoder().encode('{}'))],
    ['only begins like JSON', () => new Response('{}', { headers: { 'Content-Type': 'application/jsonp' } })],
    ['is a list', () => Response.json([])],
    ['is null', () => Response.json(null)],
    ['is broken', () => new Response('{', { headers: JSON_TYPE })],
    ['says something twice', () => new Response('{"client_id":"a","client_id":"b"}', { headers: JSON_TYPE })],
    ['is not UTF-8', () => new Response(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), { headers: JSON_TYPE })],
    ['is deep', () => new Response(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, { headers: JSON_TYPE })],
    ['is large', () => Response.json({ a: 'x'.repeat(MAX_DOCUMENT_BYTES) })],
    ['says that it is large', () => new Response('{}', { headers: { ...JSON_TYPE, 'Content-Length': '999999999' } })],
  ])('is refused when it %s, and that is remembered for 30 seconds', async (_, answer) => {
    const { fetcher, asked, later } = outside(answer)
    const get = fetcher()
    expect((await get(URL_OF_IT)).ok).toBe(false)
    later(29_000)
    expect((await get(URL_OF_IT, { maxAgeMs: 0 })).ok).toBe(false)
    expect(asked).toHaveLength(1)
    later(2_000)
    await get(URL_OF_IT)
    expect(asked).toHaveLength(2)
  })

  test('that never ends is not read further than it may be', async () => {
    let sent = 0
    const endless = () =>
      new Response(
        new ReadableStream({
          pull(stream) {
            sent += 4096
            stream.enqueue(new Uint8Array(4096).fill(0x20))
          },
        }),
        { headers: JSON_TYPE },
      )
    expect((await outside(endless).fetcher()(URL_OF_IT)).ok).toBe(false)
    expect(sent).toBeLessThanOrEqual(MAX_DOCUMENT_BYTES + 3 * 4096)
  })

  test.each<[string, () => Response | Promise<Response>]>([
    ['never answers', () => new Promise<Response>(() => {})],
    [
      'stops in the middle',
      () => new Response(new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array([0x7b])) }), { headers: JSON_TYPE }),
    ],
  ])('that %s is given up', async (_, answer) => {
    const { fetch } = outside(answer)
    const asked = await fetchOutside(URL_OF_IT, { timeout: 50, maxBytes: 100 }, { ...PRODUCTION, fetch })
    expect(asked).toEqual({ ok: false, reason: 'it did not answer in time' })
  })

  test('is kept for 5 minutes, or for as long as the caller says', async () => {
    const { fetcher, asked, later } = outside()
    const get = fetcher()
    await get(URL_OF_IT)
    later(299_000)
    await get(URL_OF_IT)
    expect(asked).toHaveLength(1)
    await get(URL_OF_IT, { maxAgeMs: 60_000 })
    expect(asked).toHaveLength(2)
    later(301_000)
    await get(URL_OF_IT, { maxAgeMs: 10 ** 9 })
    expect(asked).toHaveLength(3)
  })

  test('is parsed for each caller anew: nobody can change what another one reads', async () => {
    const get = outside().fetcher()
    const [one, two] = [await get(URL_OF_IT), await get(URL_OF_IT)]
    if (!one.ok || !two.ok) throw new Error('refused')
    expect(one.document).not.toBe(two.document)
  })

  test('takes a bounded part of the memory, however many there are', async () => {
    const { fetcher, asked } = outside((url) => Response.json({ a: url.includes('large') ? 'x'.repeat(60_000) : '' }))
    const get = fetcher()
    const many = (name: string, count: number) => Array.from({ length: count }, (_, n) => `https://shop.example.com/${name}/${n}`)
    for (const url of many('small', 600)) await get(url)
    await get(`https://shop.example.com/small/599`)
    expect(asked).toHaveLength(600)
    await get(`https://shop.example.com/small/0`)
    expect(asked).toHaveLength(601)
    const large = many('large', 200)
    for (const url of large) await get(url)
    for (const url of large.slice(-100)) await get(url)
    expect(asked).toHaveLength(801)
    await get(large[0] ?? '')
    expect(asked).toHaveLength(802)
  })
})
