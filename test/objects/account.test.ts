import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { hashPassword } from '../../src/login/password-hash.ts'
import type { Trier } from '../../src/login/sign-in.ts'
import { callHook } from '../../src/objects/call.ts'
import { decodeFeed } from '../../src/protocol/feed.ts'
import { COOKIE_IDLE_SECONDS, COOKIE_LIFETIME_SECONDS, TOUCH_SECONDS } from '../../src/sessions/session.ts'
import { accountOf, cheapPhc, known, LAPTOP, newAccount, PASSWORD, STRANGER, signInAgain, TOKENS } from '../support/account.ts'

const COOKIE = { use: 'cookie' } as const
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
  delete callHook.before
  delete callHook.after
})

const count = (sub: string, sql: string) =>
  runInDurableObject(accountOf(sub), (_, state) => state.storage.sql.exec<{ n: number }>(sql).one().n)
const pendingDenials = (sub: string) => count(sub, "SELECT count(*) AS n FROM outbox WHERE target = 'denial'")
async function listed(): Promise<number> {
  const feed = decodeFeed(new Uint8Array(await env.REVOCATION_LIST.getByName('list').feed(null)))
  if (!feed.ok) throw new Error('malformed')
  return feed.count
}

async function attempt(sub: string, password: string, trier: Trier = STRANGER) {
  const begun = await accountOf(sub).beginSignIn(trier)
  if (!begun.ok) return begun
  return accountOf(sub).signIn({ trier, digest: hashPassword(password, begun.parameters), user_agent: '', carry: COOKIE })
}

describe('an account', () => {
  test('is made once, whoever else tries', async () => {
    const { sub, account } = await newAccount(COOKIE)
    const again = await account.create({ sub, email: 'eve@example.com', name: null, phc: cheapPhc(), user_agent: '', carry: COOKIE })
    expect(again).toEqual({ ok: false, error: 'identifier_taken' })
    expect(await account.describe()).toMatchObject({ email: 'ann@example.com' })
  })

  test('raises ver for a change of roles, and not for the same roles in another order', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    await account.setRoles(['editor', 'admin'])
    await account.setRoles(['admin', 'editor', 'admin'])
    expect(await account.check(started.session.sid, 1)).toBe('outdated')
    expect(await account.check(started.session.sid, 2)).toBe('active')
    expect((await account.describe())?.roles).toEqual(['admin', 'editor'])
    expect(await pendingDenials(sub)).toBe(0)
  })

  test('banned twice is banned once; unbanned, what the ban ended stays ended', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    await account.ban()
    await account.ban()
    expect(await attempt(sub, PASSWORD)).toMatchObject({ ok: false, error: 'invalid_credentials', reason: 'banned' })
    await account.unban()
    expect(await attempt(sub, PASSWORD)).toMatchObject({ ok: true })
    expect(await account.check(started.session.sid, 2)).toBe('revoked')
    expect(await account.check(started.session.sid, 9)).toBe('revoked')
  })
})

describe('a cookie session', () => {
  const proofOf = (started: { session: { sid: string }; secret: Uint8Array }) => ({
    kind: 'cookie' as const,
    sid: started.session.sid,
    secret: started.secret,
  })

  test('slides with at most one row written in 10 minutes', async () => {
    const { sub, started } = await newAccount(COOKIE)
    const changes = await runInDurableObject(accountOf(sub), (account, state) => {
      const total = () => state.storage.sql.exec<{ n: number }>('SELECT total_changes() AS n').one().n
      const before = total()
      for (let n = 0; n < 100; n++) account.session(proofOf(started))
      const early = total() - before
      later(TOUCH_SECONDS)
      for (let n = 0; n < 100; n++) account.session(proofOf(started))
      return [early, total() - before]
    })
    expect(changes).toEqual([0, 1])
  })

  test('unused for its idle limit it is over; used, it lasts until its lifetime', async () => {
    const { account, started } = await newAccount(COOKIE)
    later(COOKIE_IDLE_SECONDS - 1)
    expect((await account.session(proofOf(started))).ok).toBe(true)
    later(COOKIE_IDLE_SECONDS)
    expect(await account.session(proofOf(started))).toEqual({ ok: false, error: 'no_session' })

    const used = await newAccount(COOKIE)
    for (let spent = 0; spent + 86_400 < COOKIE_LIFETIME_SECONDS; spent += 86_400) {
      later(86_400)
      expect((await used.account.session(proofOf(used.started))).ok).toBe(true)
    }
    later(86_400)
    expect((await used.account.session(proofOf(used.started))).ok).toBe(false)
  })

  test('mints no token that outlives it', async () => {
    const { account, started } = await newAccount(COOKIE)
    later(COOKIE_LIFETIME_SECONDS / 5)
    for (let n = 0; n < 4; n++) {
      await account.session(proofOf(started))
      later(COOKIE_LIFETIME_SECONDS / 5 - (n === 3 ? 40 : 0))
    }
    const minted = await account.mintToken(proofOf(started), { aud: 'a', scope: '' })
    expect(minted.ok && minted.token.exp - minted.token.iat).toBe(40)
  })

  test('does not open with another secret, nor with its hash', async () => {
    const { account, started } = await newAccount(COOKIE)
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', started.secret))
    for (const secret of [new Uint8Array(16), hash.slice(0, 16), hash, new Uint8Array()]) {
      expect(await account.session({ ...proofOf(started), secret })).toEqual({ ok: false, error: 'no_session' })
    }
  })

  test('of a token family has no cookie: no secret opens it', async () => {
    const { account, started } = await newAccount(TOKENS)
    expect(await account.session({ kind: 'cookie', sid: started.session.sid, secret: new Uint8Array() })).toEqual({
      ok: false,
      error: 'no_session',
    })
  })
})

describe('a revocation', () => {
  test('that the list cannot hear is durable, says so, and is delivered by the alarm', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    const before = await listed()
    callHook.before = (label) => {
      if (label === 'RevocationList.add') throw new Error('unreachable')
    }
    expect(await account.signOut({ by: 'refresh_token', ...started.refresh })).toEqual({ ok: true, denied: false })
    expect(await account.check(started.session.sid, 1)).toBe('revoked')
    // The retry of the caller is idempotent: still not delivered, and no second denial.
    expect(await account.signOut({ by: 'refresh_token', ...started.refresh })).toEqual({ ok: true, denied: false })
    expect(await pendingDenials(sub)).toBe(1)
    await evictDurableObject(accountOf(sub))
    delete callHook.before
    expect(await runDurableObjectAlarm(accountOf(sub))).toBe(true)
    expect([await pendingDenials(sub), await listed()]).toEqual([0, before + 1])
    expect(await account.signOut({ by: 'refresh_token', ...started.refresh })).toEqual({ ok: true, denied: true })
  })

  test('whose reply from the list was lost is delivered again, and harms nobody', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    callHook.after = (label) => {
      if (label === 'RevocationList.add') throw new Error('reply lost')
    }
    expect(await account.signOut({ by: 'refresh_token', ...started.refresh })).toEqual({ ok: true, denied: false })
    delete callHook.after
    expect(await account.signOut({ by: 'refresh_token', ...started.refresh })).toEqual({ ok: true, denied: true })
    expect(await pendingDenials(sub)).toBe(0)
  })

  test('goes on being tried by the alarm for as long as the list is away', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    callHook.before = (label) => {
      if (label === 'RevocationList.add') throw new Error('unreachable')
    }
    await account.signOut({ by: 'refresh_token', ...started.refresh })
    for (let n = 0; n < 10; n++) {
      later(60)
      expect(await runDurableObjectAlarm(accountOf(sub))).toBe(true)
    }
    delete callHook.before
    await runDurableObjectAlarm(accountOf(sub))
    expect(await pendingDenials(sub)).toBe(0)
  })

  test('everywhere is one denial, however many sessions there were', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    for (let n = 0; n < 20; n++) await signInAgain(sub, TOKENS)
    const before = await listed()
    await account.endEverySession({ kind: 'token', sid: started.session.sid, ver: 1 })
    expect(await listed()).toBe(before + 1)
    expect(await count(sub, 'SELECT count(*) AS n FROM session WHERE ended_at IS NULL')).toBe(0)
    expect(await count(sub, 'SELECT count(*) AS n FROM family WHERE ended_at IS NULL')).toBe(0)
  })
})

describe('guessing', () => {
  test('exactly 10 of 60 parallel wrong tries reach the compare', async () => {
    const { sub } = await newAccount(COOKIE)
    const tries = await Promise.all(Array.from({ length: 60 }, () => accountOf(sub).beginSignIn(STRANGER)))
    expect(tries.filter(({ ok }) => ok)).toHaveLength(10)
  })

  test('strangers who are held off do not hold off a known device, nor the other way round', async () => {
    const { sub } = await newAccount(COOKIE)
    for (let n = 0; n < 10; n++) await attempt(sub, 'wrong')
    expect(await attempt(sub, PASSWORD)).toMatchObject({ ok: false, error: 'too_many_attempts', retryAfter: 1 })
    expect(await attempt(sub, PASSWORD, LAPTOP)).toMatchObject({ ok: true })
    for (let n = 0; n < 10; n++) await attempt(sub, 'wrong', LAPTOP)
    expect(await attempt(sub, PASSWORD, LAPTOP)).toMatchObject({ error: 'too_many_attempts' })
    expect(await attempt(sub, PASSWORD, known('phone'))).toMatchObject({ ok: true })
  })

  test('at an address without an account is counted alike, each address by itself, and leaves nothing behind', async () => {
    const decoy = 'decoy-200'
    const as = (counter: string): Trier => ({ device: null, decoy: counter })
    const answers = []
    for (let n = 0; n < 11; n++) answers.push(await attempt(decoy, 'wrong', as('one')))
    expect(answers[9]).toMatchObject({ error: 'invalid_credentials', reason: 'no_account' })
    expect(answers[10]).toMatchObject({ error: 'too_many_attempts', retryAfter: 1 })
    expect(await attempt(decoy, 'wrong', as('two'))).toMatchObject({ error: 'invalid_credentials' })
    later(2 * 86_400)
    await runDurableObjectAlarm(accountOf(decoy))
    const tables = await runInDurableObject(accountOf(decoy), (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'attempt'").toArray(),
    )
    expect(tables).toEqual([])
    expect(await attempt(decoy, 'wrong', as('one'))).toMatchObject({ error: 'invalid_credentials' })
  })

  test('a device that was known for an earlier password is a stranger', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    const issued_at = Math.floor(now / 1000)
    const old = (id: string): Trier => ({ device: { id, issued_at }, decoy: null })
    later(60)
    const proof = { kind: 'cookie' as const, sid: started.session.sid, secret: started.secret }
    const begun = await account.beginPasswordChange(proof)
    if (!begun.ok) throw new Error(begun.error)
    expect(await account.changePassword(proof, hashPassword(PASSWORD, begun.parameters), cheapPhc('another-password-41'))).toMatchObject({
      ok: true,
      changed_at: issued_at + 60,
    })
    for (let n = 0; n < 10; n++) await attempt(sub, 'wrong', old(`device-${n}`))
    expect(await attempt(sub, 'wrong', old('device-99'))).toMatchObject({ error: 'too_many_attempts' })
  })

  test('an operator who names an account that does not exist makes none', async () => {
    const nobody = accountOf('AAAAAAAAAAAAAAAAAAAAAA')
    expect([
      await nobody.ban(),
      await nobody.unban(),
      await nobody.setRoles(['a']),
      await nobody.endAll(),
      await nobody.describe(),
    ]).toEqual([null, null, null, null, null])
    const tables = await runInDurableObject(nobody, (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'").toArray(),
    )
    expect(tables).toEqual([])
  })

  test('the current password of a stolen session is counted by that session', async () => {
    const { account, started } = await newAccount(COOKIE)
    const proof = { kind: 'cookie' as const, sid: started.session.sid, secret: started.secret }
    for (let n = 0; n < 10; n++) {
      const begun = await account.beginPasswordChange(proof)
      if (!begun.ok) throw new Error(begun.error)
      expect(await account.changePassword(proof, hashPassword('wrong', begun.parameters), cheapPhc())).toEqual({
        ok: false,
        error: 'wrong_password',
      })
    }
    expect(await account.beginPasswordChange(proof)).toMatchObject({ error: 'too_many_attempts' })
  })
})

describe('old parameters of a hash', () => {
  test('are replaced at the next sign-in, and not when the password has changed meanwhile', async () => {
    const old = cheapPhc()
    const { sub, account } = await newAccount(COOKIE, old)
    expect(await attempt(sub, PASSWORD)).toMatchObject({ ok: true, rehash: old })
    const current = cheapPhc()
    await account.rehash('another hash', 'ignored')
    await account.rehash(old, current)
    expect(await attempt(sub, PASSWORD)).toMatchObject({ ok: true, rehash: current })
  })
})

test('what ended or expired long ago is forgotten at a later sign-in', async () => {
  const { sub, account, started } = await newAccount(TOKENS)
  await account.signOut({ by: 'refresh_token', ...started.refresh })
  later(2 * 86_400)
  await attempt(sub, PASSWORD)
  expect([await count(sub, 'SELECT count(*) AS n FROM session'), await count(sub, 'SELECT count(*) AS n FROM family')]).toEqual([1, 0])
})
