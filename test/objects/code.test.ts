import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CODE_SECONDS } from '../../src/oauth/authorize.ts'
import type { PresentedCode } from '../../src/oauth/redeem-code.ts'
import type { Generation } from '../../src/sessions/start.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { accountOf, newAccount } from '../support/account.ts'

const CALLBACK = 'https://app.example.com/callback'
const VERIFIER = 'v'.repeat(43)
const ALLOWED = { scopes: ['openid', 'offline_access'], audiences: ['https://api.example'] }

let now = 0
const later = (seconds: number) => {
  now += seconds
  vi.setSystemTime(now * 1000)
}
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Math.floor(Date.now() / 1000)
  vi.setSystemTime(now * 1000)
})
afterEach(() => {
  vi.useRealTimers()
})

/** A code that a signed-in person has allowed, ready to be presented. */
async function codeGiven() {
  const { sub, account, started } = await newAccount({ use: 'cookie' })
  const authorized = await account.authorize({
    proof: { kind: 'cookie', sid: started.session.sid, secret: started.secret },
    ...{ client_id: 'a-client', redirect_uri: CALLBACK, scope: 'openid offline_access', aud: 'https://api.example' },
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    ...{ nonce: null, jkt: null, logout_uri: null, sub: null, anew: false, before: null, max_age: null },
    ...{ started_at: now, consent: 'given', expires_in: CODE_SECONDS },
  })
  if (!authorized.ok) throw new Error(authorized.error)
  const presented = { id: authorized.code, client_id: 'a-client', redirect_uri: CALLBACK, code_verifier: VERIFIER }
  const rest = { confidential: true, jkt: null, resource: null, secret_id: '00000001', network: 'home', allowed: ALLOWED }
  const redeem = (by: Partial<PresentedCode> = {}) => accountOf(sub).redeemCode({ ...presented, ...rest, ...by, attempt: randomId() })
  const rotate = ({ grant_id, generation, secret }: Generation, jkt: string | null) =>
    accountOf(sub).rotateRefreshToken({
      ...{ grant_id, generation, secret, secret_id: '00000001', network: 'home', client_id: 'a-client' },
      allowed: ALLOWED,
      by: { confidential: false, jkt, scope: null, resource: null },
    })
  return { redeem, rotate }
}

test('fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code', async () => {
  const { redeem } = await codeGiven()
  later(CODE_SECONDS)
  expect(await redeem()).toEqual({ ok: false, error: 'invalid_grant', reason: 'expired' })
  expect(await redeem()).toMatchObject({ ok: false })
})

test('a code is good until its last second', async () => {
  const { redeem } = await codeGiven()
  later(CODE_SECONDS - 1)
  expect(await redeem()).toMatchObject({ ok: true, scope: 'openid offline_access' })
})

test('a code of 50 who present it at once gives one answer, and none of it survives', async () => {
  const { redeem } = await codeGiven()
  const answers = await Promise.all(Array.from({ length: 50 }, () => redeem()))
  expect(answers.filter(({ ok }) => ok)).toHaveLength(1)
  expect(answers.filter((answer) => !answer.ok && answer.reason === 'replayed')).toHaveLength(49)
})

test('a refresh token of long ago is an alarm in the hand of whoever has its key, and nothing in any other', async () => {
  const { redeem, rotate } = await codeGiven()
  const redeemed = await redeem({ confidential: false, jkt: 'the-key' })
  if (!redeemed.ok) throw new Error(redeemed.reason)
  const first = redeemed.refresh
  let newest = first
  for (let rotations = 0; rotations < 3; rotations++) {
    later(31)
    const rotated = await rotate(newest, 'the-key')
    if (!rotated.ok) throw new Error(rotated.reason)
    newest = rotated.refresh
  }
  for (const jkt of ['another-key', null])
    expect(await rotate(first, jkt)).toEqual({ ok: false, error: 'invalid_grant', reason: 'other_key' })
  const rotated = await rotate(newest, 'the-key')
  expect(rotated).toMatchObject({ ok: true })
  expect(await rotate(first, 'the-key')).toMatchObject({ ok: false, reason: 'reuse' })
  expect(await rotate(newest, 'the-key')).toMatchObject({ ok: false, reason: 'closed' })
})

test('a code of which something has been taken back gives the rest; nothing left spends neither the code nor the grant', async () => {
  const { redeem, rotate } = await codeGiven()
  expect(await redeem({ allowed: { ...ALLOWED, audiences: [] } })).toMatchObject({ error: 'invalid_target', reason: 'target_taken_back' })
  expect(await redeem({ allowed: { ...ALLOWED, scopes: [] } })).toMatchObject({ error: 'invalid_scope', reason: 'scope_taken_back' })
  const redeemed = await redeem({ allowed: { ...ALLOWED, scopes: ['openid'] } })
  if (!redeemed.ok) throw new Error(redeemed.reason)
  expect(redeemed).toMatchObject({ scope: 'openid offline_access', token: { scope: 'openid', aud: 'https://api.example' } })
  expect(await rotate(redeemed.refresh, null)).toMatchObject({ ok: true, token: { scope: 'openid offline_access' } })
})

test('a code that has expired is invalid_grant, also where nothing of it is allowed any more', async () => {
  const { redeem } = await codeGiven()
  later(CODE_SECONDS)
  for (const allowed of [ALLOWED, { ...ALLOWED, audiences: [] }, { ...ALLOWED, scopes: [] }])
    expect(await redeem({ allowed })).toEqual({ ok: false, error: 'invalid_grant', reason: 'expired' })
})

test('a replay ends what the first presentation gave, though nothing of it is allowed any more', async () => {
  const { redeem, rotate } = await codeGiven()
  const redeemed = await redeem()
  if (!redeemed.ok) throw new Error(redeemed.reason)
  expect(await redeem({ allowed: { scopes: [], audiences: [] } })).toMatchObject({ ok: false, reason: 'replayed' })
  expect(await rotate(redeemed.refresh, null)).toMatchObject({ ok: false, reason: 'closed' })
})
