import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Reply } from '../support/node/http.ts'
import { CALLBACK, locationOf, pkce, register } from '../support/node/oauth.ts'
import { app, browser, cookieOf, fromOwnPage, PASSWORD, type Session, signUp } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'

const WRONG = 'grumpy-heron-77-window'

const BYE = 'https://app.example.com/bye'
const CLIENTS_TOML = `[[client]]
client_id = "the-shop"
client_name = "The shop"
token_endpoint_auth_method = "none"
redirect_uris = ["${CALLBACK}"]
post_logout_redirect_uris = ["${BYE}"]
`

let server: Server
let client: Client
beforeAll(async () => {
  server = await startServer({ vars: { CLIENTS_TOML } })
  client = app(server.origin)
})
afterAll(async () => {
  client.close()
  await server.stop()
})

const send = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}, by: Client = client) =>
  by.post(path, new URLSearchParams(fields), headers)

/** All of a page that its asker could learn from, but for what no two pages share. */
function visible(reply: Reply<unknown>, email: string) {
  const { date: _, 'x-request-id': __, 'content-security-policy': policy, 'content-length': ___, ...headers } = reply.headers
  const nonce = /nonce-([^']+)/.exec(String(policy))?.[1] ?? ''
  expect(nonce).toHaveLength(36)
  return {
    status: reply.status,
    headers,
    policy: String(policy).replaceAll(nonce, 'N'),
    html: reply.text.replaceAll(nonce, 'N').replaceAll(email, 'E'),
  }
}

describe.each(['/sign-in', '/sign-up'])('the client that %s is opened for', (path) => {
  async function opened(client_id: string, redirect_uri = CALLBACK) {
    const asked = { client_id, redirect_uri, response_type: 'code', code_challenge: pkce().code_challenge, code_challenge_method: 'S256' }
    const { search } = locationOf(await client.get(`/oauth/authorize?${new URLSearchParams(asked)}`))
    return (await client.get(path + search)).text
  }

  test('is named when the operator vouches for it', async () => {
    const html = await opened('the-shop')
    expect(html).toContain('to continue to <bdi class="theirs">The shop</bdi>')
    expect(html).not.toContain('Not verified')
  })

  test('is shown as what it says of itself when it registered itself, and by where one goes back to', async () => {
    const redirect_uri = 'https://phish.example/callback'
    const { client_id } = await register(client, { client_name: 'Your bank', redirect_uris: [redirect_uri] })
    const html = await opened(client_id, redirect_uri)
    expect(html).not.toContain('to continue to')
    for (const words of ['An app that calls itself', 'Your bank', 'Not verified by the operator.', 'phish.example'])
      expect(html).toContain(words)
  })
})

describe('the question of a client that asks to sign a person out', () => {
  const asked = async (client_id: string, post_logout_redirect_uri: string) => {
    const person = browser(server.origin)
    await signUp(person, `out-${client_id}@example.com`)
    const { text } = await person.get(`/oauth/logout?${new URLSearchParams({ client_id, post_logout_redirect_uri })}`)
    person.close()
    return text
  }

  test('names it when the operator vouches for it', async () => {
    const html = await asked('the-shop', BYE)
    expect(html).toContain('<bdi class="theirs">The shop</bdi> asks to sign you out.')
    expect(html).not.toContain('Not verified')
  })

  test('shows it as what it says of itself when it registered itself, and where it takes the person', async () => {
    const post_logout_redirect_uri = 'https://phish.example/bye'
    const { client_id } = await register(client, { client_name: 'Your bank', post_logout_redirect_uris: [post_logout_redirect_uri] })
    const html = await asked(client_id, post_logout_redirect_uri)
    expect(html).not.toContain('asks to sign you out')
    for (const words of ['An app that calls itself', 'Your bank', 'Not verified by the operator.', 'phish.example'])
      expect(html).toContain(words)
  })
})

describe('the sign-in page', () => {
  test('is one form, not stored, not framed, and says where it comes from when it is sent', async () => {
    const reply = await client.get('/sign-in')
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/html; charset=UTF-8'])
    expect([reply.headers['cache-control'], reply.headers['referrer-policy']]).toEqual(['no-store', 'same-origin'])
    expect(reply.headers['content-security-policy']).toMatch(/form-action 'self'; frame-ancestors 'none'$/)
    expect(reply.text).toMatch(/autocomplete="username"/)
    expect(reply.text).toMatch(/autocomplete="current-password"/)
    expect(reply.text.match(/<form/g)).toHaveLength(1)
    expect(reply.text).not.toMatch(/<script|style="/)
  })

  test('signs in by the session cookie and goes on; who is signed in is sent on at once', async () => {
    const person = browser(server.origin)
    await signUp(client, 'ann@example.com')
    const reply = await send('/sign-in', { email: ' ANN@example.com', password: PASSWORD }, {}, person)
    expect([reply.status, reply.headers.location]).toEqual([303, '/'])
    expect(cookieOf(reply, '__Host-device')).toBeDefined()
    expect((await person.get<Session>('/api/session')).json.email).toBe('ann@example.com')
    expect((await person.get('/')).text).toContain('ann@example.com')
    const again = await person.get('/sign-in?continue=/device')
    expect([again.status, again.headers.location]).toEqual([303, '/device'])
    person.close()
  })

  test.each([
    '//evil.example',
    'https://evil.example/',
    '/\\evil.example',
    '/account/../x',
    '/api/session',
    '/account#x',
    'javascript:alert(1)',
  ])('goes nowhere that is not on its list: %s', async (target) => {
    await signUp(client, 'goes@example.com').catch(() => {})
    const page = await client.get(`/sign-in?${new URLSearchParams({ continue: target })}`)
    expect(page.text).not.toContain('evil')
    expect(page.text).not.toContain('type="hidden"')
    const reply = await send('/sign-in', { email: 'goes@example.com', password: PASSWORD, continue: target })
    expect([reply.status, reply.headers.location]).toEqual([303, '/'])
  })

  test('keeps where to go on in its form and in its link to the sign-up', async () => {
    const { text } = await client.get('/sign-in?continue=%2Faccount')
    expect(text).toContain('<input type="hidden" name="continue" value="/account"/>')
    expect(text).toContain('href="/sign-up?continue=%2Faccount"')
  })

  test('answers an unknown address and a wrong password as one page, with the address and never the password (contract 11)', async () => {
    await signUp(client, 'known@example.com')
    const known = await send('/sign-in', { email: 'known@example.com', password: WRONG })
    const unknown = await send('/sign-in', { email: 'nobody@example.com', password: WRONG })
    expect([known.status, known.setCookies]).toEqual([401, []])
    expect(visible(unknown, 'nobody@example.com')).toEqual(visible(known, 'known@example.com'))
    expect(known.text).toContain('value="known@example.com"')
    expect(known.text).not.toContain(WRONG)
    expect(known.text).toContain('role="alert"')
    expect(server.output()).toContain(String(known.headers['x-request-id']))
  })

  test('counts its tries with those of the API: after ten wrong ones the right one waits too (contract 11a)', async () => {
    for (const email of ['counted@example.com', 'uncounted@example.com']) {
      if (email.startsWith('counted')) await signUp(client, email)
      for (let nth = 0; nth < 10; nth++) {
        const reply =
          nth % 2 ? await send('/sign-in', { email, password: WRONG }) : await client.post('/api/sign-in', { email, password: WRONG })
        expect(reply.status).toBe(401)
      }
    }
    const known = await send('/sign-in', { email: 'counted@example.com', password: PASSWORD })
    const unknown = await send('/sign-in', { email: 'uncounted@example.com', password: PASSWORD })
    expect([known.status, Number(known.headers['retry-after']) > 0, known.setCookies]).toEqual([429, true, []])
    expect(visible(unknown, 'uncounted@example.com')).toEqual(visible(known, 'counted@example.com'))
  })

  test('says next to each field what is wrong with it', async () => {
    for (const [fields, id] of [
      [{ password: PASSWORD }, 'email-error'],
      [{ email: 'not an address', password: PASSWORD }, 'email-error'],
      [{ email: 'ann@example.com' }, 'password-error'],
      [{ email: 'ann@example.com', password: 'x'.repeat(2_000) }, 'password-error'],
    ] as const) {
      const reply = await send('/sign-in', fields)
      expect([reply.status, reply.text.includes(`id="${id}"`), reply.text.includes(`aria-describedby="${id}"`)]).toEqual([400, true, true])
    }
  })

  test('shows what was typed as text', async () => {
    const reply = await send('/sign-in', { email: '"><script>alert(1)</script>', password: PASSWORD })
    expect(reply.text).toContain('value="&quot;&gt;&lt;script&gt;')
    expect(reply.text).not.toContain('<script')
  })

  test('refuses a request that is not sealed by us before it looks at the password', async () => {
    for (const reply of [
      await client.get('/sign-in?interaction=x'),
      await client.get(`/sign-up?interaction=${'A'.repeat(200)}`),
      await send('/sign-in', { email: 'ann@example.com', password: PASSWORD, interaction: 'x' }),
    ]) {
      expect([reply.status, reply.headers['content-type'], reply.setCookies]).toEqual([400, 'text/html; charset=UTF-8', []])
      expect(reply.text).toContain('Go back to the app')
      expect(reply.text).toContain(String(reply.headers['x-request-id']))
    }
  })
})

describe('the sign-up page', () => {
  test('makes an account with a name, signs in, and goes on', async () => {
    const person = browser(server.origin)
    const reply = await send('/sign-up', { email: 'new@example.com', name: 'Zoë', password: PASSWORD, continue: '/account' }, {}, person)
    expect([reply.status, reply.headers.location]).toEqual([303, '/account'])
    expect((await person.get<Session>('/api/session')).json).toMatchObject({ email: 'new@example.com', name: 'Zoë' })
    person.close()
  })

  test.each([
    [409, { email: 'ann@example.com' }, 'email-error', 'There is an account with this address.'],
    [422, { password: 'short' }, 'password-error', 'It needs at least 15.'],
    [422, { password: 'passwordpassword' }, 'password-error', 'password'],
    [400, { name: '\u0007' }, 'name-error', 'This must not have control characters.'],
    [400, { email: 'x' }, 'email-error', 'This must be an e-mail address.'],
  ])('answers %i for %o, next to the field', async (status, wrong: Record<string, string>, id, message) => {
    const reply = await send('/sign-up', { email: 'other@example.com', name: 'Other', password: PASSWORD, ...wrong })
    expect([reply.status, reply.setCookies]).toEqual([status, []])
    const described = new RegExp(`aria-describedby="[^"]*${id}`)
    expect(reply.text).toMatch(described)
    expect(reply.text.slice(reply.text.indexOf(`id="${id}"`))).toContain(message)
    expect(reply.text).not.toContain(`value="${PASSWORD}"`)
  })
})

describe('the sign-out page', () => {
  test('ends the session when its button is pressed, not when it is opened', async () => {
    const person = browser(server.origin)
    await signUp(person, 'leaves@example.com')
    const before = { cookie: `__Host-session=${person.cookies.get('__Host-session')}` }
    expect((await person.get('/sign-out')).text).toContain('leaves@example.com')
    expect((await client.get('/api/session', before)).status).toBe(200)
    const reply = await send('/sign-out', {}, fromOwnPage(server), person)
    expect([reply.status, person.cookies.has('__Host-session')]).toEqual([200, false])
    expect(reply.text).toContain('You are signed out')
    expect((await client.get('/api/session', before)).status).toBe(401)
    expect((await send('/sign-out', {}, fromOwnPage(server), person)).text).toContain('You are signed out')
    person.close()
  })

  test('is refused without our own origin, and the session lives on (contract 7)', async () => {
    const person = browser(server.origin)
    await signUp(person, 'stays@example.com')
    for (const headers of [{}, { origin: 'null' }, { origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }]) {
      const reply = await send('/sign-out', {}, headers as Record<string, string>, person)
      expect([reply.status, reply.headers['content-type'], reply.setCookies]).toEqual([403, 'text/html; charset=UTF-8', []])
    }
    expect((await person.get('/api/session')).status).toBe(200)
    person.close()
  })
})

describe.each(['/sign-in', '/sign-up'])('a form sent to %s', (path) => {
  test('from a foreign page is refused', async () => {
    for (const headers of [{ origin: 'null' }, { origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
      const reply = await send(path, { email: 'x@example.com', password: PASSWORD }, headers as Record<string, string>)
      expect([reply.status, reply.setCookies]).toEqual([403, []])
    }
  })

  test('that is no form, or no text, is a page with a 400', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const [body, headers] of [
      ['{}', { 'content-type': 'application/json' }],
      ['email=a', { 'content-type': 'text/plain' }],
      [new Uint8Array([0x65, 0x3d, 0xff]), form],
      [`email=${'x'.repeat(20_000)}`, form],
      ['', form],
      ['=&&&%%%=%ff', form],
      ['email=a&email=b&__proto__=1&constructor=2', form],
    ] as const) {
      const reply = await client.post(path, body, headers)
      expect([body.toString().slice(0, 20), reply.status, reply.headers['content-type']]).toEqual([
        body.toString().slice(0, 20),
        400,
        'text/html; charset=UTF-8',
      ])
    }
  })
})
