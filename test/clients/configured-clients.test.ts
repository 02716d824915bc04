import { describe, expect, test } from 'vitest'
import { hashClientSecret, isClientSecret, livingSecrets, makeClientSecret } from '../../src/clients/client-secret.ts'
import { type ClientsText, readConfiguredClients } from '../../src/clients/configured-clients.ts'
import { ALLOWED, FORBIDDEN } from './ssrf-corpus.ts'

const RULES = {
  development: false,
  issuer: 'https://auth.example.com',
  signingAlg: 'ES256',
  audiences: ['https://auth.example.com', 'https://api.example.com'],
} as const
const HASH = 'Bk4sWv2r-r4MqxkcubA4MuDwiYH78LxOdU-UOXJyh0M'
const read = (text: string, name: ClientsText['name'] = 'clients.toml') => readConfiguredClients({ name, text }, RULES)
const shop = (...lines: string[]) => ['[[client]]', 'client_id = "web-shop"', ...lines].join('\n')
const WEB = 'redirect_uris = ["https://shop.example.com/callback"]'
const SECRET = `client_secret_sha256 = ["${HASH}"]`

describe('clients.toml', () => {
  test('may be empty, or comments alone', () => {
    for (const text of ['', '# nothing here yet\n']) expect(read(text)).toMatchObject({ ok: true, clients: new Map() })
  })

  test('gives the clients that it names, with their secrets, audiences and switches', () => {
    const machine = '[[client]]\nclient_id = "reports"\ngrant_types = ["client_credentials"]\nserves = ["https://api.example.com"]\n'
    const answer = read(`${shop(WEB, SECRET, 'legacy_oidc = true')}\n${machine}${SECRET}\n`)
    if (!answer.ok) throw new Error(answer.problem.remedy)
    expect([...answer.clients.keys()]).toEqual(['web-shop', 'reports'])
    expect(answer.clients.get('web-shop')).toMatchObject({
      client: { client_id: 'web-shop', legacy_oidc: true, source: 'configuration', serves: [] },
      secrets: [{ hash: HASH, expires_at: null }],
    })
    expect(answer.clients.get('reports')?.client).toMatchObject({ serves: ['https://api.example.com'], redirect_uris: [] })
  })

  test('may hold several secrets of one client, for the time in which one takes the place of another', () => {
    expect(read(shop(WEB, `client_secret_sha256 = ["${HASH}", "${HASH.replace('Bk', 'Ck')}"]`))).toMatchObject({ ok: true })
  })

  test.each<[string, string]>([
    ['is not TOML', '[[client]]\nclient_id = hunter2'],
    ['[[client]]', 'client_id = "hunter2"'],
    ['[[client]]', '[client]\nclient_id = "hunter2"'],
    ['[[client]]', 'client = [1, 2]'],
    ['client_id', '[[client]]'],
    ['client_id', '[[client]]\nclient_id = 7'],
    ['client_id', '[[client]]\nclient_id = ""'],
    ['client_id', '[[client]]\nclient_id = "hunter2 x"'],
    ['client_id', '[[client]]\nclient_id = "hunter2\\"x"'],
    ['client_id', `[[client]]\nclient_id = "${'hunter2'.repeat(20)}"`],
    ['client_id', '[[client]]\nclient_id = "AAAAAAAAAAAAAAAAAAAAAA"'],
    ['client_id', '[[client]]\nclient_id = "https://app.example.com/hunter2"'],
    ['first-party', '[[client]]\nclient_id = "first-party"'],
    ['built in', '[[client]]\nclient_id = "sallyport-cli"'],
    ['twice', `${shop(WEB, SECRET)}\n${shop(WEB, SECRET)}`],
    ['client_secret_sha256', shop(WEB, 'client_secret = "hunter2"')],
    ['client_secret_sha256', shop(WEB)],
    ['client_secret_sha256', shop(WEB, 'client_secret_sha256 = ["hunter2"]')],
    ['client_secret_sha256', shop(WEB, 'client_secret_sha256 = "hunter2"')],
    ['client_secret_sha256', shop(WEB, SECRET, 'token_endpoint_auth_method = "none"')],
    ['redirect_urls', shop(SECRET, 'redirect_urls = ["https://hunter2.example.com/"]')],
    ['not known', shop(WEB, SECRET, '"hunter2 x" = 1')],
    ['redirect_uris', shop(SECRET, 'redirect_uris = ["http://hunter2.example.com/"]')],
    ['default_max_age', shop(WEB, SECRET, 'default_max_age = 2026-01-01')],
    ['AUDIENCES', shop(WEB, SECRET, 'serves = ["https://hunter2.example.com"]')],
    ['serves', shop(WEB, 'token_endpoint_auth_method = "none"', 'serves = ["https://api.example.com"]')],
    ['legacy_oidc', shop(WEB, 'token_endpoint_auth_method = "none"', 'legacy_oidc = true')],
  ])('is refused with a sentence about %s: %j', (what, text) => {
    const answer = read(text)
    expect(answer).toMatchObject({ ok: false, problem: { variable: 'clients.toml' } })
    if (answer.ok) return
    expect(answer.problem.remedy).toContain(what)
    expect(answer.problem.remedy).not.toContain('hunter2')
    if (text.startsWith(shop()) && what !== 'twice') expect(answer.problem.remedy).toContain('"web-shop"')
  })

  test.each([
    ['jwks_uri', 'private_key_jwt'],
    ['backchannel_logout_uri', 'none'],
  ])('is refused with any URL of the corpus as its %s', (member, method) => {
    const text = (url: string) => shop(WEB, `token_endpoint_auth_method = "${method}"`, `${member} = ${JSON.stringify(url)}`)
    expect(FORBIDDEN.filter((url) => read(text(url)).ok)).toEqual([])
    expect(ALLOWED.filter((url) => !read(text(url)).ok)).toEqual([])
    expect(read(text('https://10.0.0.1/hunter2'))).toMatchObject({
      problem: { remedy: expect.stringMatching(new RegExp(`${member} must(?!.*hunter2)`)) },
    })
  })

  test('is named by where its text came from', () => {
    expect(read('x', 'CLIENTS_TOML')).toMatchObject({ ok: false, problem: { variable: 'CLIENTS_TOML' } })
  })
})

describe('a client secret', () => {
  test('is 256 random bits that scanners know, and proves itself while it lives', async () => {
    const secret = makeClientSecret()
    expect(secret).toMatch(/^sps_[\w-]{43}$/)
    expect(makeClientSecret()).not.toBe(secret)
    const hash = await hashClientSecret(secret)
    const secrets = [
      { hash: HASH, expires_at: null },
      { hash, expires_at: 100 },
    ]
    expect(await isClientSecret(secrets, secret, 99)).toBe(true)
    expect(await isClientSecret(secrets, secret, 100)).toBe(false)
    expect(livingSecrets(secrets, 100)).toEqual([{ hash: HASH, expires_at: null }])
    for (const wrong of ['', hash, `${secret} `, secret.slice(4), 'x'.repeat(10_000)])
      expect(await isClientSecret(secrets, wrong, 0)).toBe(false)
    expect(await isClientSecret([], secret, 0)).toBe(false)
  })
})
