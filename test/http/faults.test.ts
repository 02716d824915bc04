import { exports } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { callHook } from '../../src/objects/call.ts'
import { PASSWORD } from '../support/account.ts'

const ISSUER = 'http://localhost:8787'
let people = 0

afterEach(() => {
  delete callHook.before
  delete callHook.after
})

async function send(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const init = {
    method,
    headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }
  const response = await exports.default.fetch(new Request(`${ISSUER}${path}`, init))
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, string>) }
}

/** A person with a cookie session and a token session. */
async function person() {
  const email = `p${++people}@example.com`
  const made = await send('POST', '/api/sign-up', { email, password: PASSWORD })
  const cookie =
    made.headers
      .getSetCookie()
      .find((line) => line.startsWith('__Host-session='))
      ?.split(';')[0] ?? ''
  const tokens = (await send('POST', '/api/sign-in', { email, password: PASSWORD, use: 'tokens' })).body
  return {
    email,
    sub: made.body.sub ?? '',
    own: { cookie, origin: ISSUER },
    bearer: { authorization: `Bearer ${tokens.access_token}` },
    tokens,
  }
}
type Person = Awaited<ReturnType<typeof person>>

const operator = { authorization: 'Bearer test-only-admin-token-that-is-long-enough-1' }

/** Every operation that calls an object: what it sends, and the labels that it must survive the loss of. */
const OPERATIONS: Record<string, (p: Person) => ReturnType<typeof send>> = {
  'sign-up': () => send('POST', '/api/sign-up', { email: `new${++people}@example.com`, password: PASSWORD }),
  'sign-in': (p) => send('POST', '/api/sign-in', { email: p.email, password: PASSWORD }),
  session: (p) => send('GET', '/api/session', undefined, p.own),
  sessions: (p) => send('GET', '/api/sessions', undefined, p.own),
  'one session': (p) => send('DELETE', `/api/sessions/${p.tokens.sid}`, undefined, p.own),
  everywhere: (p) => send('DELETE', '/api/sessions', undefined, p.own),
  'sign-out': (p) => send('POST', '/api/sign-out', undefined, p.own),
  'sign-out by token': (p) => send('POST', '/api/sign-out', { refresh_token: p.tokens.refresh_token }),
  password: (p) => send('POST', '/api/password', { current_password: PASSWORD, new_password: 'amber-walrus-77-harbour' }, p.own),
  token: (p) => send('POST', '/api/token', {}, p.own),
  refresh: (p) => send('POST', '/api/refresh', { refresh_token: p.tokens.refresh_token }),
  'demo live': (p) => send('GET', '/api/demo/live', undefined, p.bearer),
  'bearer session': (p) => send('GET', '/api/session', undefined, p.bearer),
  keys: () => send('GET', '/admin/api/keys', undefined, operator),
  rotate: () => send('POST', '/admin/api/keys/rotate', undefined, operator),
  'rotate RS256': () => send('POST', '/admin/api/keys/rotate', { alg: 'RS256' }, operator),
  account: (p) => send('GET', `/admin/api/accounts?email=${p.email}`, undefined, operator),
  roles: (p) => send('PUT', `/admin/api/accounts/${p.sub}/roles`, { roles: ['editor'] }, operator),
  ban: (p) => send('POST', `/admin/api/accounts/${p.sub}/ban`, undefined, operator),
}

/** Fails every call whose label is `label`, before it is made or after it was answered. */
function inject(label: string, when: 'before' | 'after') {
  callHook[when] = (called) => {
    if (called === label) throw new Error('injected')
  }
}

/** The calls that an operation makes, by running it once. */
async function labelsOf(run: (p: Person) => ReturnType<typeof send>): Promise<string[]> {
  const labels = new Set<string>()
  const p = await person()
  callHook.before = (label) => {
    labels.add(label)
  }
  await run(p)
  delete callHook.before
  return [...labels]
}

/** A mail that cannot be delivered stays in the outbox; nobody waits for it. A view of 5 s does without the feed, a signer without the key set. */
const NOT_NEEDED = new Set(['Mailbox.deliver', 'RevocationList.feed', 'KeySet.jwks', 'KeySet.activeKey'])

describe.each(Object.entries(OPERATIONS))('%s', (_, run) => {
  test('answers 503 with Retry-After when an object that it needs cannot be reached, or its reply is lost', async () => {
    const labels = await labelsOf(run)
    expect(labels.length).toBeGreaterThan(0)
    for (const label of labels) {
      for (const when of ['before', 'after'] as const) {
        const p = await person()
        inject(label, when)
        const answer = await run(p)
        delete callHook[when]
        // What the list did not hear is told now: an alarm that tells it later would be counted as a call of another operation.
        if (label.startsWith('RevocationList.')) await send('DELETE', `/admin/api/accounts/${p.sub}/sessions`, undefined, operator)
        const where = `${label} ${when}`
        if (NOT_NEEDED.has(label) && answer.status < 300) continue
        expect([where, answer.status]).toEqual([where, 503])
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      }
    }
  })
})

describe('after a fault', () => {
  test('a sign-up that was cut short between the two objects heals at the next try', async () => {
    const body = { email: `cut${++people}@example.com`, password: PASSWORD }
    inject('Account.create', 'before')
    expect((await send('POST', '/api/sign-up', body)).status).toBe(503)
    delete callHook.before
    expect((await send('POST', '/api/sign-in', body)).status).toBe(401)
    expect((await send('POST', '/api/sign-up', body)).status).toBe(201)
    expect((await send('POST', '/api/sign-up', body)).status).toBe(409)
    expect((await send('POST', '/api/sign-in', body)).status).toBe(200)
  })

  test('a refresh whose reply was lost inside the platform costs nobody the session', async () => {
    const p = await person()
    inject('Account.rotateRefreshToken', 'after')
    expect((await OPERATIONS.refresh?.(p))?.status).toBe(503)
    delete callHook.after
    const again = await OPERATIONS.refresh?.(p)
    expect(again?.status).toBe(200)
    expect((await send('POST', '/api/refresh', { refresh_token: again?.body.refresh_token })).status).toBe(200)
  })

  test('a sign-out that the list did not hear has ended the session, keeps the cookie, and completes when it is repeated', async () => {
    const p = await person()
    inject('RevocationList.add', 'before')
    const refused = await send('POST', '/api/sign-out', undefined, p.own)
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([503, []])
    expect((await send('GET', '/api/session', undefined, p.own)).status).toBe(401)
    delete callHook.before
    const done = await send('POST', '/api/sign-out', undefined, p.own)
    expect(done.status).toBe(204)
    expect(done.headers.getSetCookie()[0]).toContain('Max-Age=0')
  })

  test('a ban that the list did not hear completes when it is repeated', async () => {
    const p = await person()
    inject('RevocationList.add', 'before')
    expect((await OPERATIONS.ban?.(p))?.status).toBe(503)
    delete callHook.before
    expect((await OPERATIONS.ban?.(p))?.status).toBe(204)
    expect((await OPERATIONS['demo live']?.(p))?.status).toBe(401)
  })

  test('a refresh does not rotate while its access token cannot be signed', async () => {
    const p = await person()
    vi.useFakeTimers({ toFake: ['Date'] })
    vi.setSystemTime(Date.now() + 301_000)
    callHook.before = (label) => {
      if (label.startsWith('KeySet.')) throw new Error('injected')
    }
    expect((await OPERATIONS.refresh?.(p))?.status).toBe(503)
    delete callHook.before
    vi.setSystemTime(Date.now() + 60_000)
    // Had it rotated, this would be a lost response retried late: zone B.
    const answered = await OPERATIONS.refresh?.(p)
    expect(answered?.status).toBe(200)
    vi.setSystemTime(Date.now() + 60_000)
    expect((await OPERATIONS.refresh?.(p))?.body.refresh_token).toBe(answered?.body.refresh_token)
    vi.useRealTimers()
  })

  test('a sign-in whose replaced session cannot be ended is a sign-in all the same', async () => {
    const p = await person()
    inject('Account.signOut', 'before')
    expect((await send('POST', '/api/sign-in', { email: p.email, password: PASSWORD }, p.own)).status).toBe(200)
  })

  test('no live answer is given while its owner cannot be asked', async () => {
    const p = await person()
    expect((await OPERATIONS['demo live']?.(p))?.status).toBe(200)
    inject('Account.check', 'before')
    expect((await OPERATIONS['demo live']?.(p))?.status).toBe(503)
  })
})
