import { exports } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PASSWORD } from '../support/account.ts'

// OpenID Connect Core, 3.1.2.1: who must sign in for a request has not done so by having signed in a moment before it. The clock stands still:
// all of it happens within one second.

const ISSUER = 'http://localhost:8787'
const CALLBACK = 'https://app.example.com/callback'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000)

/** A browser: the session cookie is whatever it was last given. */
function browser() {
  let cookie = ''
  return async (path: string, fields?: Record<string, string>) => {
    const init = fields ? { method: 'POST', body: new URLSearchParams(fields) } : {}
    const headers = { cookie, origin: ISSUER }
    const reply = await exports.default.fetch(new Request(new URL(path, ISSUER), { ...init, headers, redirect: 'manual' }))
    cookie =
      reply.headers
        .getSetCookie()
        .find((line) => line.startsWith('__Host-session='))
        ?.split(';')[0] ?? cookie
    const location = reply.headers.get('location') ?? ''
    const text = await reply.text()
    return { status: reply.status, location, interaction: /name="interaction"[^>]*value="([^"]+)"/.exec(text)?.[1] ?? '' }
  }
}

let people = 0
async function somebody() {
  const credentials = { email: `anew${++people}@example.com`, password: PASSWORD }
  const go = browser()
  expect((await go('/sign-up', credentials)).status).toBe(303)
  return { go, credentials }
}

async function postJson(path: string, body: string | URLSearchParams): Promise<Record<string, string>> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-www-form-urlencoded'
  const reply = await exports.default.fetch(new Request(ISSUER + path, { method: 'POST', headers: { 'content-type': type }, body }))
  return reply.json()
}

async function request(changes: Record<string, string>): Promise<Record<string, string>> {
  const client = JSON.stringify({ redirect_uris: [CALLBACK], token_endpoint_auth_method: 'none' })
  const { client_id = '' } = await postJson('/oauth/register', client)
  const challenge = { code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM', code_challenge_method: 'S256' }
  return { client_id, response_type: 'code', redirect_uri: CALLBACK, scope: 'openid', ...challenge, ...changes }
}

const authorize = (parameters: Record<string, string>) => `/oauth/authorize?${new URLSearchParams(parameters)}`
const isSignIn = (location: string) => location.startsWith('/sign-in?interaction=')
const sealedIn = (location: string) => new URL(location, ISSUER).searchParams.get('interaction') ?? ''

describe.each([{ prompt: 'login' }, { prompt: 'select_account' }, { max_age: '0' }])('a request with %j', (changes) => {
  test('of somebody who signed in within the same second asks them again, once, however they come to it', async () => {
    const { go, credentials } = await somebody()
    const asked = await request(changes)
    const { request_uri = '' } = await postJson('/oauth/par', new URLSearchParams(asked))
    for (const query of [asked, { client_id: asked.client_id ?? '', request_uri }]) {
      const visit = await go(authorize(query))
      const first = 'request_uri' in query ? await go(visit.location) : visit
      expect([first.status, isSignIn(first.location)]).toEqual([303, true])
      const interaction = sealedIn(first.location)
      // Going on without signing in leads nowhere else.
      expect(isSignIn((await go(authorize({ interaction }))).location)).toBe(true)
      const signedIn = await go('/sign-in', { ...credentials, interaction })
      const consent = await go(signedIn.location)
      const back = consent.status === 303 ? consent : await go('/consent', { interaction: consent.interaction, decision: 'allow' })
      expect(back.location).toMatch(/^https:\/\/app\.example\.com\/callback\?code=/)
    }
  })
})

test('max_age counts from a sign-in of the same second too, when the page was left open', async () => {
  const { go, credentials } = await somebody()
  const page = await go(authorize(await request({ max_age: '60' })))
  expect(page.interaction).not.toBe('')
  later(61)
  const allowed = await go('/consent', { interaction: page.interaction, decision: 'allow' })
  expect(isSignIn(allowed.location)).toBe(true)
  const signedIn = await go('/sign-in', { ...credentials, interaction: sealedIn(allowed.location) })
  const again = await go(signedIn.location)
  later(61)
  // They have signed in for this very request, and then read for a while.
  const back = await go('/consent', { interaction: again.interaction, decision: 'allow' })
  expect(back.location).toMatch(/^https:\/\/app\.example\.com\/callback\?code=/)
})
