import { exports } from 'cloudflare:workers'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import type { AppContext, AppEnv } from '../../../src/http/context.ts'
import { type FindClient, readDestination } from '../../../src/http/pages/destination.ts'
import type { Services } from '../../../src/http/services.ts'
import { openSecretRing } from '../../../src/keys/secret-ring.ts'
import { INTERACTION_SECONDS, type Interaction, openInteraction, sealInteraction } from '../../../src/oauth/interaction.ts'
import { callHook } from '../../../src/objects/call.ts'
import { PASSWORD } from '../../support/account.ts'

const ISSUER = 'http://localhost:8787'
const ring = await openSecretRing(['test-only-secret-that-is-long-enough-000001'])
const now = () => Math.floor(Date.now() / 1000)
const ASKED = { client_id: 'notes', redirect_uri: 'https://notes.example.com/cb', login_hint: 'hinted@example.com', prompt: 'login' }

const sealed = (parameters: Record<string, string> = ASKED, started_at = now()) =>
  sealInteraction(ring, { parameters, started_at, before: null, pushed: null })

let people = 0
const newEmail = () => `page${++people}@example.com`

afterEach(() => {
  delete callHook.before
  delete callHook.after
})

async function send(path: string, fields?: Record<string, string>, headers: Record<string, string> = {}) {
  const init = fields ? { method: 'POST', body: new URLSearchParams(fields) } : {}
  const response = await exports.default.fetch(new Request(`${ISSUER}${path}`, { ...init, headers, redirect: 'manual' }))
  return { status: response.status, headers: response.headers, html: await response.text() }
}

/** The Cookie header of somebody who has just signed up. */
async function cookieOf(email: string): Promise<string> {
  const { status, headers } = await send('/sign-up', { email, password: PASSWORD })
  expect(status).toBe(303)
  return (
    headers
      .getSetCookie()
      .find((line) => line.startsWith('__Host-session='))
      ?.split(';')[0] ?? ''
  )
}

describe('a sign-in for a client', () => {
  test('is asked for although somebody is signed in, with the hint filled in, and leads back to the authorization', async () => {
    const interaction = await sealed()
    const email = newEmail()
    const cookie = await cookieOf(email)
    const form = await send(`/sign-in?${new URLSearchParams({ interaction })}`, undefined, { cookie })
    expect(form.status).toBe(200)
    expect(form.html).toContain(`<input type="hidden" name="interaction" value="${interaction}"/>`)
    expect(form.html).toContain('value="hinted@example.com"')
    expect(form.html).toContain(`href="/sign-up?interaction=${interaction}"`)
    expect(form.headers.get('Content-Security-Policy')).toContain("form-action 'self' https:;")
    const done = await send('/sign-in', { email, password: PASSWORD, interaction, continue: '/account' })
    expect([done.status, done.headers.get('Location')]).toEqual([303, `/oauth/authorize?interaction=${interaction}`])
    const made = await send('/sign-up', { email: newEmail(), password: PASSWORD, interaction })
    expect([made.status, made.headers.get('Location')]).toEqual([303, `/oauth/authorize?interaction=${interaction}`])
  })

  test('that is refused keeps the interaction', async () => {
    const interaction = await sealed()
    const refused = await send('/sign-in', { email: newEmail(), password: 'wrong', interaction })
    expect([refused.status, refused.html.includes(`value="${interaction}"`)]).toEqual([401, true])
    expect(refused.headers.get('Content-Security-Policy')).toContain("form-action 'self' https:;")
  })

  test('that was left open for over an hour is refused before the password is looked at', async () => {
    const interaction = await sealed(ASKED, now() - INTERACTION_SECONDS - 1)
    const email = newEmail()
    await cookieOf(email)
    for (const reply of [
      await send(`/sign-in?interaction=${interaction}`),
      await send('/sign-in', { email, password: PASSWORD, interaction }),
    ]) {
      expect([reply.status, reply.headers.getSetCookie()]).toEqual([400, []])
      expect(reply.html).toContain('open for too long')
    }
  })

  test('names the client when it is known, and what is known of its redirect decides where the form may lead', async () => {
    const read = async (parameters: Record<string, string>, findClient: FindClient) => {
      const interaction = await sealed(parameters)
      const app = new Hono<AppEnv>()
      app.get('/', async (c: AppContext) => {
        c.set('services', { ring } as Services)
        const { client, formAction } = await readDestination(c, new Map([['interaction', interaction]]), findClient)
        return c.json({ name: client?.name ?? null, place: client?.place ?? null, formAction })
      })
      return (await app.request('/')).json()
    }
    const client = { client: { client_name: 'Notes', redirect_uris: ['com.example.notes:/cb'] }, secrets: [] }
    const findClient = (async (_, id) => (id === 'notes' ? client : null)) as FindClient
    expect(await read({ client_id: 'notes' }, findClient)).toEqual({
      ...{ name: 'Notes', place: 'an app on this device (com.example.notes)' },
      formAction: ['https:', 'com.example.notes:'],
    })
    expect(await read({ client_id: 'other' }, findClient)).toEqual({ name: null, place: null, formAction: [] })
    expect(await read({}, findClient)).toEqual({ name: null, place: null, formAction: [] })
  })
})

describe('when a part of the service cannot be reached', () => {
  const lose = (label: string) => {
    callHook.before = (called) => {
      if (called === label) throw new Error('injected')
    }
  }

  test('a page says so as a page, with Retry-After', async () => {
    const cookie = await cookieOf(newEmail())
    lose('Account.beginSignIn')
    const signIn = await send('/sign-in', { email: newEmail(), password: PASSWORD })
    lose('Account.session')
    for (const reply of [signIn, await send('/', undefined, { cookie }), await send('/sign-out', undefined, { cookie })]) {
      expect([reply.status, reply.headers.get('Retry-After')]).toEqual([503, '1'])
      expect(reply.headers.get('Content-Type')).toBe('text/html; charset=UTF-8')
      expect(reply.html).toContain('Not there just now')
    }
  })

  test('a sign-out that the list did not hear has ended the session, keeps the cookie and the button, and completes when repeated', async () => {
    const own = { cookie: await cookieOf(newEmail()), origin: ISSUER }
    lose('RevocationList.add')
    const refused = await send('/sign-out', {}, own)
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([503, []])
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0)
    expect(refused.html).toContain('<form method="post" action="/sign-out">')
    delete callHook.before
    const done = await send('/sign-out', {}, own)
    expect([done.status, done.headers.getSetCookie()[0]?.includes('Max-Age=0')]).toEqual([200, true])
  })
})

test('a page that an older version sealed goes on, and takes a sign-in of its own second for none', async () => {
  const old = { parameters: ASKED, started_at: now(), pushed: null }
  const opened = await openInteraction(ring, await sealInteraction(ring, old as object as Interaction), now())
  expect(opened).toEqual({ ...old, before: null, started_at: old.started_at + 1 })
})
