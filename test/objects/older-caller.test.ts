import { env } from 'cloudflare:workers'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { objects } from '../../src/http/objects.ts'
import type { AuthorizationAsk } from '../../src/oauth/authorize.ts'
import type { PresentedCode } from '../../src/oauth/redeem-code.ts'
import type { AskedRefreshToken } from '../../src/oauth/refresh-token.ts'
import type { Presented } from '../../src/sessions/refresh.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { newAccount } from '../support/account.ts'

// In a gradual deployment a Worker of the version before calls an account of this one, and leaves out what it does not know. Whatever that
// would forbid is not given: the call fails as one that found nobody, which is 503 with Retry-After, and changes nothing.

const CLIENT = 'notes'
const CALLBACK = 'https://notes.example.com/back'
const API = 'https://api.example.com'
const VERIFIER = 'v'.repeat(43)
const ALLOWED = { scopes: ['openid', 'offline_access'], audiences: [API] }

/** As the version before sent it. */
function without<T extends object>(sent: T, member: keyof T): T {
  const { [member]: _, ...rest } = sent
  return rest as T
}

const unavailable = (call: Promise<unknown>) => expect(call).rejects.toMatchObject({ name: 'ObjectUnavailable' })

async function somebody() {
  const { sub, started } = await newAccount({ use: 'cookie' })
  const call = objects(env).account
  const now = Math.floor(Date.now() / 1000)
  const ask: AuthorizationAsk = {
    proof: { kind: 'cookie', sid: started.session.sid, secret: started.secret },
    ...{ client_id: CLIENT, redirect_uri: CALLBACK, scope: 'openid offline_access', aud: API },
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    ...{ nonce: null, jkt: null, logout_uri: null, sub: null, anew: false, before: null, max_age: null },
    ...{ started_at: now, consent: 'given', expires_in: 60 },
  }
  const authorize = (over: Partial<AuthorizationAsk> = {}) => call(sub, 'authorize', (stub) => stub.authorize({ ...ask, ...over }))
  return { sub, call, ask, authorize }
}

async function code() {
  const { sub, call, authorize } = await somebody()
  const authorized = await authorize()
  if (!authorized.ok) throw new Error(authorized.error)
  const presented: PresentedCode = {
    ...{ id: authorized.code, client_id: CLIENT, redirect_uri: CALLBACK, code_verifier: VERIFIER, confidential: true, jkt: null },
    ...{ resource: null, secret_id: '00000001', network: 'home', allowed: ALLOWED, attempt: randomId() },
  }
  const redeem = (sent: PresentedCode) => call(sub, 'redeemCode', (stub) => stub.redeemCode(sent))
  return { sub, call, presented, redeem }
}

test.each(['anew', 'before'] as const)(
  'an authorization that does not say %s gets no code, and no consent is remembered of it',
  async (member) => {
    const { sub, call, ask, authorize } = await somebody()
    await unavailable(call(sub, 'authorize', (stub) => stub.authorize(without(ask, member))))
    expect(await authorize({ consent: 'remembered' })).toMatchObject({ ok: false, error: 'consent_required' })
    expect(await authorize()).toMatchObject({ ok: true })
  },
)

test('a code is neither redeemed nor spent, until somebody says what is allowed', async () => {
  const { presented, redeem } = await code()
  await unavailable(redeem(without(presented, 'allowed')))
  expect(await redeem({ ...presented, attempt: randomId() })).toMatchObject({ ok: true })
})

test('a refresh token is neither rotated nor described, until somebody says what is allowed', async () => {
  const { sub, call, presented, redeem } = await code()
  const redeemed = await redeem(presented)
  if (!redeemed.ok) throw new Error(redeemed.reason)
  const { grant_id, generation, secret } = redeemed.refresh
  const shown: AskedRefreshToken = { grant_id, generation, secret, client_id: CLIENT, allowed: ALLOWED }
  const sent: Presented = { ...shown, secret_id: '00000001', network: 'home' }
  const rotate = (it: Presented) => call(sub, 'rotateRefreshToken', (stub) => stub.rotateRefreshToken(it))
  const describe = (it: AskedRefreshToken) => call(sub, 'describeRefreshToken', (stub) => stub.describeRefreshToken(it))
  await unavailable(describe(without(shown, 'allowed')))
  await unavailable(rotate(without(sent, 'allowed')))
  expect(await describe(shown)).toMatchObject({ active: true })
  expect(await rotate(sent)).toMatchObject({ ok: true, zone: 'current' })
})
