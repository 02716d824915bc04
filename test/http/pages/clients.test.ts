import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import type { Client } from '../../../src/clients/client.ts'
import type { AppContext, AppEnv } from '../../../src/http/context.ts'
import { consentPage } from '../../../src/http/pages/consent.tsx'
import { deviceConfirmPage, deviceDonePage, devicePage } from '../../../src/http/pages/device.tsx'
import { errorPage } from '../../../src/http/pages/error.tsx'
import { formPostPage } from '../../../src/http/pages/form-post.tsx'
import { logoutConfirmPage } from '../../../src/http/pages/logout-confirm.tsx'
import { plainLine } from '../../../src/ui/client-text.tsx'

const REGISTERED: Client = {
  client_id: 'notes',
  client_name: 'Notes',
  client_uri: 'https://notes.example.com/home',
  logo_uri: null,
  policy_uri: null,
  tos_uri: null,
  application_type: 'web',
  redirect_uris: ['https://notes.example.com/cb'],
  post_logout_redirect_uris: [],
  grant_types: ['authorization_code'],
  token_endpoint_auth_method: 'none',
  token_endpoint_auth_signing_alg: null,
  jwks: null,
  jwks_uri: null,
  scope: null,
  id_token_signed_response_alg: 'RS256',
  default_max_age: null,
  require_auth_time: false,
  backchannel_logout_uri: null,
  backchannel_logout_session_required: false,
  dpop_bound_access_tokens: false,
  require_pushed_authorization_requests: false,
  serves: [],
  legacy_oidc: false,
  source: 'registration',
}

/** What one page of ours answers. */
async function rendered(render: (c: AppContext) => Response | Promise<Response>) {
  const app = new Hono<AppEnv>()
  app.get('/', (c) => {
    c.set('requestId', 'the-request-id')
    return render(c)
  })
  const response = await app.request('/')
  const html = await response.text()
  return { status: response.status, headers: response.headers, policy: response.headers.get('Content-Security-Policy') ?? '', html }
}

const consent = (client: Partial<Client> = {}, asked: { scopes?: string[]; audiences?: string[]; redirect_uri?: string } = {}) =>
  rendered((c) =>
    consentPage(c, {
      client: { ...REGISTERED, ...client },
      redirect_uri: 'https://notes.example.com/cb',
      email: 'ann@example.com',
      scopes: ['openid'],
      audiences: [],
      interaction: 'sealed',
      ...asked,
    }),
  )

const HOSTILE = '"><script>alert(1)</script>\u202e\u2066<img src=x onerror=alert(1)>&quot;\n</title>\u0000'

describe('the consent page', () => {
  test('says who asks, where it leads, who is signed in and what is allowed, with two buttons', async () => {
    const { html, policy, headers } = await consent(
      {},
      { scopes: ['openid', 'offline_access', 'notes:read'], audiences: ['https://api.example.com'] },
    )
    for (const text of [
      'Notes',
      'notes.example.com',
      'ann@example.com',
      'Know that it is you',
      'notes:read',
      'https://api.example.com',
      '90 days',
    ])
      expect(html).toContain(text)
    expect(html).toMatch(/<form method="post" action="\/consent"><input type="hidden" name="interaction" value="sealed"\/>/)
    expect([...html.matchAll(/<button[^>]*name="decision" value="(\w+)"/g)].map(([, value]) => value)).toEqual(['allow', 'deny'])
    expect(html.match(/class="act"/g)).toHaveLength(1)
    expect(html).toContain('href="/sign-in?interaction=sealed"')
    expect(policy).toContain("form-action 'self' https:;")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers.get('Referrer-Policy')).toBe('same-origin')
  })

  test.each([
    ['registration', true],
    ['document', true],
    ['configuration', false],
  ] as const)('warns of a client by %s: %s', async (source, warned) => {
    const { html } = await consent({ source, client_id: source === 'document' ? 'https://app.example.net/client.json' : 'notes' })
    expect(html.includes('Not verified by the operator')).toBe(warned)
    expect(html.includes('app.example.net')).toBe(source === 'document')
  })

  test('does not repeat a home page that only the client vouches for', async () => {
    expect((await consent({ client_uri: 'https://your-bank.example' })).html).not.toContain('your-bank')
    expect((await consent({ client_uri: 'https://your-bank.example', source: 'configuration' })).html).toContain('your-bank')
  })

  test.each([
    ['http://127.0.0.1:3000/cb', 'an app on this device (127.0.0.1:3000)'],
    ['com.example.app:/cb', 'an app on this device (com.example.app)'],
    ['https://a.example:8443/cb', 'a.example:8443'],
  ])('says of %s that one goes back to %s', async (redirect_uri, place) => {
    expect((await consent({}, { redirect_uri })).html).toContain(place)
  })

  test('shows what a stranger chose as text, on one line, cut, and set apart', async () => {
    const { html } = await consent(
      { client_name: HOSTILE },
      { scopes: [HOSTILE, '__proto__', 'constructor'], audiences: [`https://a.example/${HOSTILE}`] },
    )
    expect(html).not.toMatch(/<script|<img|\u202e|\u2066/)
    expect(html).toContain('<bdi class="theirs">&quot;&gt;&lt;script&gt;')
    const long = await consent({ client_name: 'W'.repeat(10_000) })
    expect(long.html).toContain(`>${'W'.repeat(79)}…<`)
    expect((await consent({ client_name: null, client_id: 'only-an-id' })).html).toContain('only-an-id')
  })
})

test.each([
  ['a\u202eb\u2066c\u200bd\ufeffe', 'abcde'],
  ['a\n\t\u2028\u00a0 b', 'a b'],
  ['  a  ', 'a'],
  ['a\u0301\u0301\u0301\u0301b', 'a\u0301\u0301b'],
  ['\ud800', '\ufffd'],
  ['😀'.repeat(81), `${'😀'.repeat(79)}…`],
  ['ㅤ', ''],
])('a line of a stranger is plain: %j', (text, line) => expect(plainLine(text)).toBe(line))

describe('the other pages for clients', () => {
  test('form_post sends by a script with the nonce, by a button without one, and only where it may', async () => {
    const { html, policy, headers } = await rendered((c) => formPostPage(c, 'https://a.example/cb', { code: '"><b>', state: HOSTILE }))
    const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1]
    expect(html).toContain(`<script nonce="${nonce}">`)
    expect(html.match(/<script/g)).toHaveLength(1)
    expect(html).toContain('<form method="post" action="https://a.example/cb">')
    expect(html).toContain('<input type="hidden" name="code" value="&quot;&gt;&lt;b&gt;"/>')
    expect(html).toMatch(/<button type="submit"/)
    expect(headers.get('Referrer-Policy')).toBe('strict-origin')
  })

  test('an error names the problem for the person and for the developer, and leads nowhere', async () => {
    const asked = {
      status: 400,
      title: 'Unknown app',
      sentence: 'No app of this name is known here.',
      code: 'invalid_client',
      detail: HOSTILE,
    } as const
    const { status, html, headers } = await rendered((c) => errorPage(c, asked))
    expect([status, headers.get('Location'), headers.get('Refresh')]).toEqual([400, null, null])
    for (const text of ['Unknown app', asked.sentence, 'invalid_client', 'the-request-id']) expect(html).toContain(text)
    expect(html).not.toMatch(/<script|<img|<a |<meta http/)
  })

  test('logout has one button, and sends what it was given', async () => {
    const fields = { id_token_hint: 'x"y', state: '<s>' }
    const client = { ...REGISTERED, client_name: HOSTILE }
    const asked = { client, email: 'ann@example.com', fields, post_logout_redirect_uri: 'http://localhost:3000/bye' }
    const { html, policy } = await rendered((c) => logoutConfirmPage(c, asked))
    expect(html.match(/<button/g)).toHaveLength(1)
    expect(html).toContain('action="/oauth/logout"')
    expect(html).toContain('name="id_token_hint" value="x&quot;y"')
    expect(policy).toContain('http://localhost:*')
  })

  test('logout names in a sentence only whom the operator vouches for, and says where a stranger takes the person', async () => {
    const shown = async (client: Partial<Client>, post_logout_redirect_uri: string | null) => {
      const asked = { client: { ...REGISTERED, ...client }, email: 'ann@example.com', fields: {}, post_logout_redirect_uri }
      return (await rendered((c) => logoutConfirmPage(c, asked))).html
    }
    const vouched = await shown({ source: 'configuration' }, 'https://notes.example.com/bye')
    expect(vouched).toContain('<bdi class="theirs">Notes</bdi> asks to sign you out.')
    expect(vouched).not.toContain('Not verified')
    for (const client of [{}, { source: 'document', client_id: 'https://notes.example.com/client' }] as const) {
      const html = await shown(client, 'https://phish.example/bye')
      expect(html).not.toContain('asks to sign you out')
      for (const words of ['An app that calls itself', 'Notes', 'Not verified by the operator.', 'You go back to', 'phish.example'])
        expect(html).toContain(words)
      expect(await shown(client, null)).not.toContain('You go back to')
    }
  })

  test('a device is asked for by its code, confirmed with a warning, and done', async () => {
    const asked = await rendered((c) => devicePage(c, { userCode: '"><x', error: 'No device waits for this code.' }))
    expect([asked.status, asked.html.includes('name="user_code"'), asked.html.includes('<x')]).toEqual([400, true, false])
    expect((await rendered((c) => devicePage(c))).status).toBe(200)
    const confirm = await rendered((c) =>
      deviceConfirmPage(c, {
        client: REGISTERED,
        email: 'ann@example.com',
        userCode: 'WDJB-MJHT',
        scopes: ['openid'],
        audiences: ['https://bank.example'],
      }),
    )
    for (const text of [
      'WDJB-MJHT',
      'Is this the code on your device?',
      'If somebody sent you this code',
      'name="user_code"',
      'action="/device"',
      'https://bank.example',
    ])
      expect(confirm.html).toContain(text)
    expect((await rendered((c) => deviceDonePage(c, true))).html).toContain('is connected')
    expect((await rendered((c) => deviceDonePage(c, false))).html).toContain('is not connected')
  })
})
