import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FAMILY_IDLE_SECONDS, FAMILY_LIFETIME_SECONDS } from '../../src/sessions/session.ts'
import type { Generation } from '../../src/sessions/start.ts'
import { accountOf, newAccount, presenting, signInAgain, TOKENS } from '../support/account.ts'

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
})

async function rotate(sub: string, refresh: Generation, network = 'home') {
  const answer = await accountOf(sub).rotateRefreshToken(presenting(refresh, { network }))
  if (!answer.ok) throw new Error(answer.reason)
  return answer
}

async function refusal(sub: string, refresh: Generation): Promise<string> {
  const answer = await accountOf(sub).rotateRefreshToken(presenting(refresh))
  return answer.ok ? `answered in zone ${answer.zone}` : answer.reason
}

const isLive = (sub: string, sid: string) => accountOf(sub).check(sid, 1)

describe('a refresh-token family', () => {
  test('rotates: each generation gives the next, and a token for the same session', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    expect(second).toMatchObject({
      zone: 'current',
      sid: started.session.sid,
      refresh: { generation: 2, grant_id: started.refresh.grant_id },
    })
    expect(second.token).toMatchObject({ sub, sid: started.session.sid, ver: 1, client_id: 'first-party' })
    expect(second.refresh.secret).not.toEqual(started.refresh.secret)
  })

  test('writes one row for a rotation, and none for a replay in zone A', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const rows = await runInDurableObject(accountOf(sub), async (account, state) => {
      const changes = () => state.storage.sql.exec<{ n: number }>('SELECT total_changes() AS n').one().n
      const before = changes()
      await account.rotateRefreshToken(presenting(started.refresh))
      const rotated = changes()
      await account.rotateRefreshToken(presenting(started.refresh))
      return [rotated - before, changes() - rotated]
    })
    expect(rows).toEqual([1, 0])
  })

  test('of 50 concurrent presentations one rotates, and all get the same successor', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const answers = await Promise.all(Array.from({ length: 50 }, () => rotate(sub, started.refresh)))
    expect(new Set(answers.map(({ refresh }) => `${refresh.generation}.${refresh.secret}`)).size).toBe(1)
    expect(answers.filter(({ zone }) => zone === 'current')).toHaveLength(1)
  })

  test('answers the same after the object was evicted between two presentations', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    await evictDurableObject(accountOf(sub))
    expect((await rotate(sub, started.refresh)).refresh).toEqual(second.refresh)
    await evictDurableObject(accountOf(sub))
    expect((await rotate(sub, second.refresh)).refresh.generation).toBe(3)
  })

  test('zone A: late tabs land on the living generation, any number of times, up to 30 s', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    later(10)
    const third = await rotate(sub, second.refresh)
    later(20)
    for (const late of [started.refresh, second.refresh, started.refresh]) {
      expect(await rotate(sub, late)).toMatchObject({ zone: 'A', refresh: third.refresh })
    }
  })

  test('zone B: one lost response is forgiven however late, and however often it is retried', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const lost = await rotate(sub, started.refresh)
    later(7 * 86_400)
    for (let n = 0; n < 3; n++) expect(await rotate(sub, started.refresh)).toMatchObject({ zone: 'B', refresh: lost.refresh })
    expect((await rotate(sub, lost.refresh)).zone).toBe('current')
  })

  test('zone B, twice in a row: the family and its session end', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    later(60)
    await rotate(sub, started.refresh)
    await rotate(sub, second.refresh)
    later(60)
    expect(await refusal(sub, second.refresh)).toBe('reuse')
    expect(await isLive(sub, started.session.sid)).toBe('revoked')
  })

  test('zone B, not in a row: the second lost response is forgiven too', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    later(60)
    await rotate(sub, started.refresh)
    const third = await rotate(sub, second.refresh)
    later(60)
    await rotate(sub, third.refresh)
    later(60)
    expect((await rotate(sub, third.refresh)).zone).toBe('B')
  })

  test('zone C: a generation two behind ends the family and its session; other sessions live on', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const other = await signInAgain(sub, TOKENS)
    const second = await rotate(sub, started.refresh)
    const third = await rotate(sub, second.refresh)
    later(31)
    expect(await refusal(sub, started.refresh)).toBe('reuse')
    expect(await refusal(sub, third.refresh)).toBe('closed')
    expect(await isLive(sub, started.session.sid)).toBe('revoked')
    expect(await isLive(sub, other.session.sid)).toBe('active')
    expect((await rotate(sub, other.refresh)).zone).toBe('current')
  })

  test('a family that has ended, for whatever reason, is a plain refusal: no second alarm', async () => {
    const { sub, started } = await newAccount(TOKENS)
    await rotate(sub, started.refresh)
    await accountOf(sub).signOut({ by: 'refresh_token', ...started.refresh })
    later(60)
    for (let n = 0; n < 3; n++) expect(await refusal(sub, started.refresh)).toBe('closed')
  })

  test('a mismatch of secret or client changes nothing', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const account = accountOf(sub)
    const second = await rotate(sub, started.refresh)
    later(60)
    const wrong = { ...started.refresh, secret: new Uint8Array(16) }
    expect(await refusal(sub, wrong)).toBe('wrong_secret')
    expect(await account.rotateRefreshToken(presenting(started.refresh, { client_id: 'another' }))).toMatchObject({
      reason: 'other_client',
    })
    expect(await refusal(sub, { ...second.refresh, generation: 99 })).toBe('wrong_secret')
    expect((await rotate(sub, second.refresh)).zone).toBe('current')
  })

  test('idle for 30 days it is closed, and replays do not keep it alive', async () => {
    const { sub, started } = await newAccount(TOKENS)
    const second = await rotate(sub, started.refresh)
    later(FAMILY_IDLE_SECONDS - 1)
    expect((await rotate(sub, started.refresh)).zone).toBe('B')
    later(1)
    expect(await refusal(sub, second.refresh)).toBe('closed')
  })

  test('however often it is used it ends after 90 days, and no token outlives it', async () => {
    const { sub, started } = await newAccount(TOKENS)
    let newest = started.refresh
    for (let days = 0; days < 88; days += 22) {
      later(22 * 86_400)
      newest = (await rotate(sub, newest)).refresh
    }
    later(2 * 86_400 - 60)
    const last = await rotate(sub, newest)
    expect(last.token.exp - last.token.iat).toBeLessThanOrEqual(60)
    later(61)
    expect(await refusal(sub, last.refresh)).toBe('closed')
    expect(FAMILY_LIFETIME_SECONDS).toBe(90 * 86_400)
  })

  test('replays from another network, three generations in a row, are told to the account once', async () => {
    const { sub, started } = await newAccount(TOKENS)
    let newest = started.refresh
    for (let n = 0; n < 5; n++) {
      const next = (await rotate(sub, newest, 'home')).refresh
      await rotate(sub, newest, 'elsewhere')
      newest = next
    }
    const mails = await runInDurableObject(accountOf(sub), (_, state) =>
      state.storage.sql.exec<{ body: string }>("SELECT body FROM outbox WHERE target = 'mail'").toArray(),
    )
    expect(mails.filter(({ body }) => body.includes('copy of your sign-in'))).toHaveLength(1)
  })
})
