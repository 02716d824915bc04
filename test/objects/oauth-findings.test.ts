import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { liveCheckOf } from '../../src/http/live-check.ts'
import { objects } from '../../src/http/objects.ts'
import { hashPassword } from '../../src/login/password-hash.ts'
import type { AuthorizationAsk } from '../../src/oauth/authorize.ts'
import type { PresentedCode } from '../../src/oauth/redeem-code.ts'
import { randomId } from '../../src/tokens/random-id.ts'
import { knownClient } from '../oauth/clients.ts'
import { cheapPhc, newAccount, PASSWORD, presenting, signInAgain, TOKENS } from '../support/account.ts'

// What was once found by attacking the authorization server. Each of these has failed before.

const ISSUER = 'http://localhost:8787'
const API = 'https://api.example.com'
const CLIENT = 'notes'
const AT = 'https://notes.example.com/back'

let now = 0
const later = (seconds: number) => {
  now += seconds * 1000
  vi.setSystemTime(now)
}
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  now = Date.now()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function person() {
  const made = await newAccount({ use: 'cookie' })
  const { session, secret } = made.started
  return { ...made, proof: { kind: 'cookie' as const, sid: session.sid, secret } }
}
type Proof = Awaited<ReturnType<typeof person>>['proof']

const asking = (proof: Proof, over: Partial<AuthorizationAsk> = {}): AuthorizationAsk => ({
  ...{ proof, client_id: CLIENT, redirect_uri: AT, scope: 'openid offline_access', aud: ISSUER, code_challenge: null },
  ...{ nonce: null, jkt: null, logout_uri: null, sub: null, anew: false, before: null, max_age: null },
  started_at: Math.floor(now / 1000),
  consent: 'given',
  expires_in: 600,
  ...over,
})

const presentingCode = (id: string, over: Partial<PresentedCode> = {}): PresentedCode => ({
  ...{ id, client_id: CLIENT, redirect_uri: AT, code_verifier: null, confidential: true, jkt: null, resource: null },
  ...{ secret_id: '00000001', network: 'home', attempt: randomId() },
  allowed: { scopes: ['openid', 'offline_access'], audiences: [ISSUER] },
  ...over,
})

describe('a change of password', () => {
  test('ends what was authorized and not yet taken, also in the session that makes it', async () => {
    const { account, proof } = await person()
    const authorized = await account.authorize(asking(proof))
    if (!authorized.ok) throw new Error(authorized.error)
    const begun = await account.beginPasswordChange(proof)
    if (!begun.ok) throw new Error(begun.error)
    const digest = hashPassword(PASSWORD, begun.parameters)
    expect(await account.changePassword(proof, digest, cheapPhc('amber-walrus-77-harbour'))).toMatchObject({ ok: true })
    expect(await account.redeemCode(presentingCode(authorized.code))).toMatchObject({ ok: false, error: 'invalid_grant' })
    const after = await account.authorize(asking(proof))
    if (!after.ok) throw new Error(after.error)
    expect(await account.redeemCode(presentingCode(after.code))).toMatchObject({ ok: true })
  })
})

describe('the repeat of a redemption whose reply was lost', () => {
  test('gives nothing once a replay has ended the grant', async () => {
    const { account, proof } = await person()
    const authorized = await account.authorize(asking(proof))
    if (!authorized.ok) throw new Error(authorized.error)
    const first = presentingCode(authorized.code)
    expect(await account.redeemCode(first)).toMatchObject({ ok: true })
    expect(await account.redeemCode(presentingCode(authorized.code))).toMatchObject({ ok: false, reason: 'replayed' })
    expect(await account.redeemCode(first)).toEqual({ ok: false, error: 'invalid_grant', reason: 'closed' })
  })
})

describe('a remembered consent', () => {
  test('is for the audiences that were shown, each with its scopes', async () => {
    const { account, proof } = await person()
    const ask = (scope: string, aud: string, consent: AuthorizationAsk['consent'] = 'remembered') =>
      account.authorize(asking(proof, { scope, aud, consent }))
    expect(await ask('notes:write', ISSUER, 'given')).toMatchObject({ ok: true })
    expect(await ask('notes:write', ISSUER)).toMatchObject({ ok: true })
    expect(await ask('notes:write', API)).toMatchObject({ ok: false, error: 'consent_required' })
    expect(await ask('notes:write', `${ISSUER} ${API}`)).toMatchObject({ ok: false, error: 'consent_required' })
    expect(await ask('notes:read', API, 'given')).toMatchObject({ ok: true })
    expect(await ask('notes:read', API)).toMatchObject({ ok: true })
    expect(await ask('notes:write', API)).toMatchObject({ ok: false, error: 'consent_required' })
    expect(await ask('notes:read', ISSUER)).toMatchObject({ ok: false, error: 'consent_required' })
  })
})

describe('an account from before consents knew their audience', () => {
  test('asks again, and remembers then', async () => {
    const { account, proof } = await person()
    await runInDurableObject(account, (_, { storage: { sql } }) => {
      sql.exec("DELETE FROM migration WHERE id = '0003-consent-audience'")
      sql.exec('DROP TABLE consent')
      sql.exec(`CREATE TABLE consent (client_id TEXT NOT NULL, redirect_uri TEXT NOT NULL, scope TEXT NOT NULL, granted_at INTEGER NOT NULL,
        PRIMARY KEY (client_id, redirect_uri)) STRICT, WITHOUT ROWID`)
      sql.exec('INSERT INTO consent VALUES (?, ?, ?, ?)', CLIENT, AT, 'openid offline_access', 1)
    })
    await evictDurableObject(account)
    expect(await account.authorize(asking(proof, { consent: 'remembered' }))).toMatchObject({ ok: false, error: 'consent_required' })
    expect(await account.authorize(asking(proof))).toMatchObject({ ok: true })
    expect(await account.authorize(asking(proof, { consent: 'remembered' }))).toMatchObject({ ok: true })
  })
})

describe('a client that has left the configuration', () => {
  test.each(['notes', '1st:notes', 'a b:c'])('is nobody, whatever its id looks like (%s)', async (client_id) => {
    const { sub, proof } = await person()
    const claims = { iss: ISSUER, sub, aud: ISSUER, exp: 0, iat: 0, jti: randomId(), client_id, scope: '', ver: 1, sid: proof.sid }
    const live = (known: readonly string[]) => liveCheckOf(objects(env), new Map(known.map((id) => [id, knownClient({ client_id: id })])))
    expect(await live([client_id])('', claims)).toEqual({ active: true })
    expect(await live([])('', claims)).toEqual({ active: false, error: 'revoked' })
  })
})

describe('a key that the revocation list cannot speak for', () => {
  test('is good for a live answer while the key set publishes it, and only then', async () => {
    const { sub, proof } = await person()
    const claims = {
      iss: ISSUER,
      sub,
      aud: ISSUER,
      exp: 0,
      iat: 0,
      jti: randomId(),
      client_id: 'first-party',
      scope: '',
      ver: 1,
      sid: proof.sid,
    }
    const live = liveCheckOf(objects(env), new Map())
    const { keys } = await env.KEY_SET.getByName('keys').jwks()
    expect(keys.length).toBeGreaterThan(0)
    for (const { kid } of keys) expect(await live('', claims, kid)).toEqual({ active: true })
    expect(await live('', claims, 'denied')).toEqual({ active: false, error: 'revoked' })
    expect(await live('', { ...claims, sid: 'ended' }, keys[0]?.kid)).toEqual({ active: false, error: 'revoked' })
  })
})

describe('tries at user codes', () => {
  test('are not forgiven for a code of one’s own in between', async () => {
    const { account, proof } = await person()
    for (let wrong = 0; wrong < 9; wrong++) expect((await account.countUserCode(proof)).ok).toBe(true)
    for (let right = 0; right < 3; right++) {
      expect((await account.countUserCode(proof)).ok).toBe(true)
      await account.foundUserCode(proof)
      later(2)
    }
    expect((await account.countUserCode(proof)).ok).toBe(true)
    expect(await account.countUserCode(proof)).toMatchObject({ ok: false, error: 'too_many_attempts' })
  })

  test('that are right cost nothing, however many', async () => {
    const { account, proof } = await person()
    for (let right = 0; right < 30; right++) {
      expect((await account.countUserCode(proof)).ok).toBe(true)
      await account.foundUserCode(proof)
    }
  })
})

describe('the notice of a sign-out', () => {
  const client_id = `${AT}/document`
  const noticeOf = (sub: string) => ({ id: randomId(), client_id, uri: 'http://127.0.0.1:9/logout', sub, sid: randomId() })
  const subOf = (body: unknown): string => {
    const [, claims = ''] = (new URLSearchParams(String(body)).get('logout_token') ?? '').split('.')
    return JSON.parse(Buffer.from(claims, 'base64url').toString()).sub
  }

  test('is not held up by one that its client always refuses', async () => {
    const told: string[] = []
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
      const sub = subOf(init?.body)
      told.push(sub)
      return new Response(null, { status: sub === 'strange' ? 400 : 200 })
    })
    const client = env.CLIENT.getByName(randomId())
    await client.queueLogout([noticeOf('strange'), noticeOf('ann'), noticeOf('ben')])
    for (let round = 0; round < 3; round++) {
      await runDurableObjectAlarm(client)
      later(8)
    }
    expect(told).toContain('ann')
    expect(told).toContain('ben')
    told.length = 0
    await client.queueLogout([noticeOf('eve')])
    await runDurableObjectAlarm(client)
    expect(told).toContain('eve')
  })

  test('is tried ever more seldom while the client does not answer, however many there are', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('refused'))
    const client = env.CLIENT.getByName(randomId())
    await client.queueLogout(Array.from({ length: 40 }, (_, n) => noticeOf(`person-${n}`)))
    for (let minute = 0; minute < 60; minute++) {
      await runDurableObjectAlarm(client)
      later(60)
    }
    expect(fetched.mock.calls.length).toBeGreaterThan(4)
    expect(fetched.mock.calls.length).toBeLessThan(20)
  })
})

describe('signing in again in the same browser', () => {
  const again = async (sub: string) => signInAgain(sub, { use: 'cookie' })
  const hungOn = async () => {
    const made = await person()
    const authorized = await made.account.authorize(asking(made.proof, { scope: 'openid', logout_uri: 'http://127.0.0.1:9/logout' }))
    if (!authorized.ok) throw new Error(authorized.error)
    const redeemed = await made.account.redeemCode(presentingCode(authorized.code))
    if (!redeemed.ok) throw new Error(redeemed.reason)
    const next = await again(made.sub)
    const { sid, secret } = made.proof
    expect(await made.account.signOut({ by: 'cookie', sid, secret, successor: next.session.sid })).toMatchObject({ ok: true })
    const nextProof = { kind: 'cookie' as const, sid: next.session.sid, secret: next.secret }
    return { ...made, next, nextProof, ids: { ...redeemed.token, client_id: CLIENT } }
  }

  test('leaves the apps of the earlier session signed in, and its cookie worth nothing', async () => {
    const { account, proof, nextProof, next, ids } = await hungOn()
    expect(await account.checkGrant(ids)).toBe('active')
    expect(await account.session(proof)).toEqual({ ok: false, error: 'no_session' })
    const listed = await account.sessions(nextProof)
    expect(listed.ok && listed.sessions.map(({ sid }) => sid)).toEqual([next.session.sid])
  })

  test('and out again ends what hung on both', async () => {
    const { account, nextProof, ids } = await hungOn()
    await account.signOut({ by: 'cookie', sid: nextProof.sid, secret: nextProof.secret })
    expect(await account.checkGrant(ids)).toBe('revoked')
  })

  test('a third time keeps the first with the last', async () => {
    const { sub, account, nextProof, ids } = await hungOn()
    const last = await again(sub)
    await account.signOut({ by: 'cookie', sid: nextProof.sid, secret: nextProof.secret, successor: last.session.sid })
    expect(await account.checkGrant(ids)).toBe('active')
    await account.signOut({ by: 'cookie', sid: last.session.sid, secret: last.secret })
    expect(await account.checkGrant(ids)).toBe('revoked')
  })

  test.each(['first', 'second', 'third'] as const)(
    'by a form that is sent three times, and out by the cookie that the %s reply brought, ends what hung on the earlier session',
    async (kept) => {
      const { sub, account, proof, next: first, ids } = await hungOn()
      const [second, third] = [await again(sub), await again(sub)]
      for (const sent of [second, third]) {
        await account.signOut({ by: 'cookie', sid: proof.sid, secret: proof.secret, successor: sent.session.sid })
      }
      const { session, secret } = { first, second, third }[kept]
      const cookie = { kind: 'cookie' as const, sid: session.sid, secret }
      const listed = await account.sessions(cookie)
      expect(listed.ok && listed.sessions.find(({ current }) => current)?.sid).toBe(session.sid)
      for (let day = 0; day < 9; day++) {
        later(86_400)
        expect(await account.session(cookie)).toMatchObject({ ok: true })
      }
      expect(await account.checkGrant(ids)).toBe('active')
      await account.signOut({ by: 'cookie', sid: session.sid, secret })
      expect(await account.checkGrant(ids)).toBe('revoked')
    },
  )

  test('after such a form closes every cookie that it brought', async () => {
    const { sub, account, proof, next: first, nextProof, ids } = await hungOn()
    const [second, last] = [await again(sub), await again(sub)]
    await account.signOut({ by: 'cookie', sid: proof.sid, secret: proof.secret, successor: second.session.sid })
    await account.signOut({ by: 'cookie', sid: second.session.sid, secret: second.secret, successor: last.session.sid })
    expect(await account.session(nextProof)).toEqual({ ok: false, error: 'no_session' })
    await account.signOut({ by: 'cookie', sid: first.session.sid, secret: first.secret })
    expect(await account.checkGrant(ids)).toBe('active')
    await account.signOut({ by: 'cookie', sid: last.session.sid, secret: last.secret })
    expect(await account.checkGrant(ids)).toBe('revoked')
  })

  test('without any app ends the earlier session', async () => {
    const { sub, account, proof } = await person()
    const next = await again(sub)
    await account.signOut({ by: 'cookie', sid: proof.sid, secret: proof.secret, successor: next.session.sid })
    expect(await account.check(proof.sid, 1)).toBe('revoked')
  })
})

describe('a revocation', () => {
  test.each([
    ['account', 'roles'],
    ['session', 'amr'],
  ])('asks the family alone, and works where the %s has broken %s', async (table, column) => {
    const { account, started } = await newAccount(TOKENS)
    const ended_at = await runInDurableObject(account, async (instance, { storage: { sql } }) => {
      sql.exec(`UPDATE ${table} SET ${column} = '['`)
      await instance.revokeRefreshToken(presenting(started.refresh))
      return sql.exec<{ ended_at: number }>('SELECT ended_at FROM family').one().ended_at
    })
    expect(ended_at).toBe(Math.floor(now / 1000))
  })
})
