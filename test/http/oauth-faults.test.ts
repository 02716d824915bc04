import { env, exports } from 'cloudflare:workers'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { hashClientSecret } from '../../src/clients/client-secret.ts'
import { callHook } from '../../src/objects/call.ts'
import { encodeBase64url } from '../../src/protocol/base64url.ts'
import { type ClientKey, makeAssertion, makeClientKey, makeProof } from '../oauth/proofs.ts'
import { PASSWORD } from '../support/account.ts'

const ISSUER = 'http://localhost:8787'
const CALLBACK = 'https://app.example.com/callback'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

type Form = Record<string, string>
type Answer = { status: number; headers: Headers; text: string; json: Record<string, string> }

const SERVICE_SECRET = 'only-for-tests-and-long-enough-000000000001'
const SERVICE = `[[client]]
client_id = "service"
redirect_uris = []
grant_types = ["${EXCHANGE}"]
token_endpoint_auth_method = "client_secret_post"
client_secret_sha256 = ["${await hashClientSecret(SERVICE_SECRET)}"]
serves = ["${ISSUER}"]
`

let people = 0
let cookie: string
let key: ClientKey
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  key = await makeClientKey()
  // Before the first request reads the configuration.
  Object.assign(env, { CLIENTS_TOML: SERVICE })
  const made = await send('POST', '/api/sign-up', JSON.stringify({ email: 'faults@example.com', password: PASSWORD }))
  cookie = cookieIn(made)
  return () => vi.useRealTimers()
})

afterEach(() => {
  delete callHook.before
  delete callHook.after
})

async function send(method: string, path: string, body?: string | Form, headers: Record<string, string> = {}): Promise<Answer> {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-www-form-urlencoded'
  const init = {
    method,
    redirect: 'manual' as const,
    headers: { ...(body === undefined ? {} : { 'content-type': type }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new URLSearchParams(body) }),
  }
  const reply = await exports.default.fetch(new Request(`${ISSUER}${path}`, init))
  const text = await reply.text()
  const json: Record<string, string> = /json/.test(reply.headers.get('content-type') ?? '') ? JSON.parse(text) : {}
  return { status: reply.status, headers: reply.headers, text, json }
}

const cookieIn = ({ headers }: Answer) =>
  headers
    .getSetCookie()
    .find((line) => line.startsWith('__Host-session='))
    ?.split(';')[0] ?? ''

const bearer = (token: string | undefined) => ({ authorization: `Bearer ${token}` })
const own = () => ({ cookie, origin: ISSUER })
const now = () => Math.floor(Date.now() / 1000)
const locationOf = ({ headers }: Answer) => new URL(headers.get('location') ?? '', ISSUER)
const interactionIn = ({ text }: Answer) => /name="interaction"[^>]*value="([^"]+)"/.exec(text)?.[1] ?? ''

type Client = { client_id: string; client_secret: string; registration_access_token: string }

const METADATA = { redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_GRANT] }

async function register(changes: object = {}): Promise<Client> {
  const metadata = { ...METADATA, token_endpoint_auth_method: 'client_secret_post', ...changes }
  return JSON.parse((await send('POST', '/oauth/register', JSON.stringify(metadata))).text)
}

const asking = () => register({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } })

const as = ({ client_id, client_secret }: Client, form: Form = {}): Form => ({ client_id, client_secret, ...form })

async function queryOf(client: Client) {
  const code_verifier = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)))
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code_verifier))
  const form = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid offline_access',
    state: 's',
    code_challenge: encodeBase64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  }
  return { code_verifier, form, query: new URLSearchParams(form).toString() }
}

async function consentPage(client: Client) {
  const asked = await queryOf(client)
  return { ...asked, interaction: interactionIn(await send('GET', `/oauth/authorize?${asked.query}`, undefined, own())) }
}

async function codeFor(client: Client): Promise<Form> {
  const { code_verifier, query } = await queryOf(client)
  const page = await send('GET', `/oauth/authorize?${query}`, undefined, own())
  // Allowed before: no page.
  const back = page.status === 303 ? page : await send('POST', '/consent', { interaction: interactionIn(page), decision: 'allow' }, own())
  const code = locationOf(back).searchParams.get('code') ?? ''
  return { grant_type: 'authorization_code', code, code_verifier, redirect_uri: CALLBACK }
}

const redeem = async (client: Client, code?: Form) => send('POST', '/oauth/token', as(client, code ?? (await codeFor(client))))
const refresh = (client: Client, refresh_token = '') =>
  send('POST', '/oauth/token', as(client, { grant_type: 'refresh_token', refresh_token }))
const introspect = (client: Client, token = '') => send('POST', '/oauth/introspect', as(client, { token }))
const revoke = (client: Client, token = '') => send('POST', '/oauth/revoke', as(client, { token }))
const machineToken = (client: Client) => send('POST', '/oauth/token', as(client, { grant_type: 'client_credentials' }))

async function grantOf(client: Client) {
  const { access_token = '', refresh_token = '', id_token = '' } = (await redeem(client)).json
  return { access_token, refresh_token, id_token }
}

const startDevice = async (client: Client) => (await send('POST', '/oauth/device_authorization', as(client, { scope: 'openid' }))).json
const typeCode = (fields: Form) => send('POST', '/device', fields, own())
const poll = (client: Client, device_code = '') => send('POST', '/oauth/token', as(client, { grant_type: DEVICE_GRANT, device_code }))

async function viewedDevice(client: Client) {
  const { device_code = '', user_code = '' } = await startDevice(client)
  await typeCode({ user_code })
  return { device_code, user_code }
}

/** A session of its own, for what ends sessions. */
async function ownSession(): Promise<{ cookie: string; origin: string }> {
  const body = JSON.stringify({ email: `p${++people}@example.com`, password: PASSWORD })
  return { cookie: cookieIn(await send('POST', '/api/sign-up', body)), origin: ISSUER }
}

const nonceFor = async () => {
  const first = await makeProof(key, { method: 'POST', url: `${ISSUER}/oauth/token`, now: now() })
  return (await send('POST', '/oauth/token', { grant_type: 'client_credentials' }, { dpop: first })).headers.get('dpop-nonce')
}

/** What a request is made from is made first, without faults; `client` is this run's own. */
type Operation = (client: Client) => Promise<() => Promise<Answer>>

const OPERATIONS: Record<string, Operation> = {
  'authorize, to the consent page': async (client) => {
    const { query } = await queryOf(client)
    return () => send('GET', `/oauth/authorize?${query}`, undefined, own())
  },
  'authorize, without a session': async (client) => {
    const { query } = await queryOf(client)
    return () => send('GET', `/oauth/authorize?${query}`)
  },
  consent: async (client) => {
    const { interaction } = await consentPage(client)
    return () => send('POST', '/consent', { interaction, decision: 'allow' }, own())
  },
  'sign-in page for a client': async (client) => {
    const to = await send('GET', `/oauth/authorize?${(await queryOf(client)).query}`)
    return () => send('GET', `${locationOf(to).pathname}${locationOf(to).search}`)
  },
  'a pushed request': async (client) => {
    const { form } = await queryOf(client)
    return () => send('POST', '/oauth/par', as(client, form))
  },
  'a pushed request, taken': async (client) => {
    const { request_uri = '' } = (await send('POST', '/oauth/par', as(client, (await queryOf(client)).form))).json
    const query = new URLSearchParams({ client_id: client.client_id, request_uri })
    return () => send('GET', `/oauth/authorize?${query}`, undefined, own())
  },
  'code for tokens': async (client) => {
    const code = await codeFor(client)
    return () => redeem(client, code)
  },
  'a code again': async (client) => {
    const code = await codeFor(client)
    await redeem(client, code)
    return () => redeem(client, code)
  },
  refresh: async (client) => {
    const { refresh_token } = await grantOf(client)
    return () => refresh(client, refresh_token)
  },
  'client credentials': async (client) => () => machineToken(client),
  'client credentials, by an assertion': async () => {
    const client = await asking()
    return async () => {
      const client_assertion = await makeAssertion(key, { client_id: client.client_id, issuer: ISSUER, now: now() })
      return send('POST', '/oauth/token', { grant_type: 'client_credentials', client_assertion_type: JWT_BEARER, client_assertion })
    }
  },
  'client credentials, with a DPoP proof': async (client) => async () => {
    const proof = { method: 'POST', url: `${ISSUER}/oauth/token`, now: now() }
    const dpop = await makeProof(key, proof, { claims: { nonce: await nonceFor() } })
    return send('POST', '/oauth/token', as(client, { grant_type: 'client_credentials' }), { dpop })
  },
  'token exchange': async (client) => {
    const { access_token } = await grantOf(client)
    const form = { grant_type: EXCHANGE, subject_token_type: ACCESS_TOKEN, subject_token: access_token }
    return () => send('POST', '/oauth/token', { client_id: 'service', client_secret: SERVICE_SECRET, ...form })
  },
  'a device asks': async (client) => () => send('POST', '/oauth/device_authorization', as(client, { scope: 'openid' })),
  'a device polls': async (client) => {
    const { device_code } = await startDevice(client)
    return () => poll(client, device_code)
  },
  'an approved device polls': async (client) => {
    const { device_code, user_code } = await viewedDevice(client)
    await typeCode({ user_code, decision: 'allow' })
    return () => poll(client, device_code)
  },
  'device page': async () => () => send('GET', '/device', undefined, own()),
  'a user code is typed': async (client) => {
    const { user_code = '' } = await startDevice(client)
    return () => typeCode({ user_code })
  },
  'a device is allowed': async (client) => {
    const { user_code } = await viewedDevice(client)
    return () => typeCode({ user_code, decision: 'allow' })
  },
  'a device is refused': async (client) => {
    const { user_code } = await viewedDevice(client)
    return () => typeCode({ user_code, decision: 'deny' })
  },
  'introspect an access token': async (client) => {
    const { access_token } = await grantOf(client)
    return () => introspect(client, access_token)
  },
  'introspect a refresh token': async (client) => {
    const { refresh_token } = await grantOf(client)
    return () => introspect(client, refresh_token)
  },
  'introspect a machine token': async (client) => {
    const { access_token } = (await machineToken(client)).json
    return () => introspect(client, access_token)
  },
  'revoke an access token': async (client) => {
    const { access_token } = await grantOf(client)
    return () => revoke(client, access_token)
  },
  'revoke a refresh token': async (client) => {
    const { refresh_token } = await grantOf(client)
    return () => revoke(client, refresh_token)
  },
  'revoke a machine token': async (client) => {
    const { access_token } = (await machineToken(client)).json
    return () => revoke(client, access_token)
  },
  userinfo: async (client) => {
    const { access_token } = await grantOf(client)
    return () => send('GET', '/oauth/userinfo', undefined, bearer(access_token))
  },
  'logout, asked about': async () => () => send('GET', '/oauth/logout', undefined, own()),
  logout: async () => {
    const session = await ownSession()
    return () => send('POST', '/oauth/logout', { confirmed: 'yes' }, session)
  },
  'sign-out page': async () => {
    const session = await ownSession()
    return () => send('POST', '/sign-out', {}, session)
  },
  register: async () => () => send('POST', '/oauth/register', JSON.stringify({ redirect_uris: [CALLBACK] })),
  'read a registration': async (client) => () => managed(client, 'GET'),
  'change a registration': async (client) => () => managed(client, 'PUT', '', { ...METADATA, client_id: client.client_id }),
  'another secret': async (client) => () => managed(client, 'POST', '/secret'),
  'remove a registration': async (client) => () => managed(client, 'DELETE'),
}

function managed({ client_id, registration_access_token }: Client, method: string, path = '', body?: object): Promise<Answer> {
  const text = body && JSON.stringify(body)
  return send(method, `/oauth/register/${client_id}${path}`, text, bearer(registration_access_token))
}

/** Older than what this isolate keeps of clients and of the feed, so that each is asked for. */
const forget = () => vi.setSystemTime(Date.now() + 6_000)

/** The calls that an operation makes, and what it answers, by running it once. */
async function witness(operation: Operation): Promise<{ labels: string[]; status: number }> {
  const labels = new Set<string>()
  const run = await operation(await register())
  forget()
  callHook.before = (label) => {
    labels.add(label)
  }
  const { status } = await run()
  delete callHook.before
  return { labels: [...labels], status }
}

/** Nobody waits for a note of use or a mail; a view and a signer do without what they still hold. */
const NOT_NEEDED = new Set(['Client.use', 'Mailbox.deliver', 'RevocationList.feed', 'KeySet.jwks', 'KeySet.activeKey'])

const isPage = (answer: Answer) => /^text\/html/.test(answer.headers.get('content-type') ?? '')
const PAGES = /^(authorize|consent|sign-in page|a pushed request, taken|device page|a user code|a device is|logout|sign-out page)/

describe.each(Object.entries(OPERATIONS))('%s', (name, operation) => {
  test('answers 503 with Retry-After, in its own form, when an object that it needs cannot be reached, or its reply is lost', async () => {
    const { labels, status } = await witness(operation)
    expect(labels.length).toBeGreaterThan(0)
    for (const label of labels) {
      for (const when of ['before', 'after'] as const) {
        const run = await operation(await register())
        forget()
        callHook[when] = (called) => {
          if (called === label) throw new Error('injected')
        }
        const answer = await run()
        delete callHook[when]
        const where = `${label} ${when}`
        if (NOT_NEEDED.has(label) && answer.status === status) continue
        // A replay is refused, and has ended what it must, whoever hears of it when.
        if (name === 'a code again' && label === 'RevocationList.add' && answer.status === 400) continue
        expect([where, answer.status, answer.text.slice(0, 80)]).toEqual([where, 503, expect.any(String)])
        expect([where, Number(answer.headers.get('retry-after'))]).toEqual([where, expect.toSatisfy((seconds: number) => seconds > 0)])
        expect([where, isPage(answer)]).toEqual([where, PAGES.test(name)])
        if (!isPage(answer) && name !== 'userinfo') expect([where, answer.json.error]).toEqual([where, 'temporarily_unavailable'])
      }
    }
  })
})

describe('after a fault of an OAuth endpoint', () => {
  const inject = (label: string, when: 'before' | 'after') => {
    callHook[when] = (called) => {
      if (called === label) throw new Error('injected')
    }
  }
  const heal = () => {
    delete callHook.before
    delete callHook.after
  }

  test('a code whose tokens could not be signed is not lost', async () => {
    const client = await register()
    const code = await codeFor(client)
    vi.setSystemTime(Date.now() + 301_000)
    const fresh = await codeFor(client)
    vi.setSystemTime(Date.now() + 50_000)
    callHook.before = (label) => {
      if (label.startsWith('KeySet.')) throw new Error('injected')
    }
    const refused = await redeem(client, fresh)
    heal()
    expect([refused.status, refused.json.error]).toEqual([503, 'temporarily_unavailable'])
    expect((await redeem(client, fresh)).status).toBe(200)
    expect((await redeem(client, code)).json.error).toBe('invalid_grant')
  })

  test('a code whose answer was lost is used up: nothing of it lives, and the next one is good', async () => {
    const client = await register()
    const code = await codeFor(client)
    inject('Account.redeemCode', 'after')
    expect((await redeem(client, code)).status).toBe(503)
    heal()
    const again = await redeem(client, code)
    expect([again.status, again.json.error]).toEqual([400, 'invalid_grant'])
    expect((await redeem(client)).status).toBe(200)
  })

  test('a replay that the list did not hear of has ended the refresh token all the same', async () => {
    const client = await register()
    const code = await codeFor(client)
    const { access_token, refresh_token } = (await redeem(client, code)).json
    inject('RevocationList.add', 'before')
    expect((await redeem(client, code)).json.error).toBe('invalid_grant')
    expect((await refresh(client, refresh_token)).json.error).toBe('invalid_grant')
    expect((await introspect(client, access_token)).json).toEqual({ active: false })
    heal()
  })

  test('a refresh whose answer was lost costs the client nothing', async () => {
    const client = await register()
    const { refresh_token } = await grantOf(client)
    inject('Account.rotateRefreshToken', 'after')
    expect((await refresh(client, refresh_token)).status).toBe(503)
    heal()
    const again = await refresh(client, refresh_token)
    expect((await refresh(client, again.json.refresh_token)).status).toBe(200)
  })

  test.each(['access_token', 'refresh_token'] as const)(
    'a revoked %s of which the list did not hear is inactive, and the repeat completes it',
    async (kind) => {
      const client = await register()
      const token = (await grantOf(client))[kind]
      inject('RevocationList.add', 'before')
      expect((await revoke(client, token)).status).toBe(503)
      expect((await introspect(client, token)).json).toEqual({ active: false })
      expect((await revoke(client, token)).status).toBe(503)
      heal()
      expect((await revoke(client, token)).status).toBe(200)
    },
  )

  test('a removed client of which the list did not hear gets nothing any more, and the repeat completes it', async () => {
    const client = await register()
    const { access_token, refresh_token } = await grantOf(client)
    inject('RevocationList.add', 'before')
    expect((await managed(client, 'DELETE')).status).toBe(503)
    expect((await send('GET', '/oauth/userinfo', undefined, bearer(access_token))).status).toBe(401)
    expect((await refresh(client, refresh_token)).json.error).toBe('invalid_client')
    expect((await managed(client, 'GET')).status).toBe(401)
    expect((await managed(client, 'DELETE')).status).toBe(503)
    heal()
    expect((await managed(client, 'DELETE')).status).toBe(204)
    expect((await managed(client, 'DELETE')).status).toBe(401)
  })

  test('a token is active to nobody while its owner cannot be asked', async () => {
    const client = await register()
    const { access_token, refresh_token } = await grantOf(client)
    inject('Account.checkGrant', 'before')
    expect((await introspect(client, access_token)).status).toBe(503)
    inject('Account.describeRefreshToken', 'before')
    expect((await introspect(client, refresh_token)).status).toBe(503)
    for (const asked of ['Account.owner', 'Client.check']) {
      inject(asked, 'before')
      expect((await send('GET', '/oauth/userinfo', undefined, bearer(access_token))).status, asked).toBe(503)
    }
  })

  test('a proof whose memory could not be asked is not let in, and neither is its repeat once the memory has it', async () => {
    const client = await asking()
    const client_assertion = await makeAssertion(key, { client_id: client.client_id, issuer: ISSUER, now: now() })
    const form = { grant_type: 'client_credentials', client_assertion_type: JWT_BEARER, client_assertion }
    inject('ReplayMemory.consume', 'after')
    expect((await send('POST', '/oauth/token', form)).status).toBe(503)
    heal()
    expect((await send('POST', '/oauth/token', form)).json.error).toBe('invalid_client')
  })

  test('a consent whose answer was lost is given, and repeating it gives a code', async () => {
    const client = await register()
    const { interaction, query } = await consentPage(client)
    inject('Account.authorize', 'after')
    const decided = () => send('POST', '/consent', { interaction, decision: 'allow' }, own())
    expect((await decided()).status).toBe(503)
    heal()
    expect(locationOf(await decided()).searchParams.has('code')).toBe(true)
    expect(locationOf(await send('GET', `/oauth/authorize?${query}`, undefined, own())).searchParams.has('code')).toBe(true)
  })

  test('a sign-out by logout that the list did not hear keeps the cookie, sends nobody on, and completes when it is repeated', async () => {
    const session = await ownSession()
    const uri = 'https://app.example.com/bye'
    const client = await register({ post_logout_redirect_uris: [uri] })
    const leave = () =>
      send('POST', '/oauth/logout', { confirmed: 'yes', client_id: client.client_id, post_logout_redirect_uri: uri }, session)
    inject('RevocationList.add', 'before')
    const refused = await leave()
    expect([refused.status, refused.headers.getSetCookie(), refused.headers.get('location')]).toEqual([503, [], null])
    heal()
    const done = await leave()
    expect([done.status, done.headers.get('location')]).toEqual([303, uri])
  })
})
