import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FIRST_PARTY_CLIENT_ID } from '../../src/protocol/claims.ts'
import { withAccounts } from '../../src/sdk/accounts.ts'
import type { VerifierBinding } from '../../src/sdk/index.ts'
import { accountOf, newAccount } from '../support/account.ts'

const COOKIE = { use: 'cookie' } as const

afterEach(() => {
  vi.useRealTimers()
})

const execute = (sub: string, sql: string, ...values: (string | number | null)[]) =>
  runInDurableObject(accountOf(sub), (_, state) => {
    state.storage.sql.exec(sql, ...values)
  })

describe('the `live` answer of an account', () => {
  const NOW = 2_000_000_000
  const limits = [
    { title: 'a living session', expires_at: NOW + 1, seen_at: NOW - 9, idle_seconds: 10, ended_at: null, banned_at: null },
    { title: 'its last second over', expires_at: NOW, seen_at: NOW - 9, idle_seconds: 10, ended_at: null, banned_at: null },
    { title: 'idle for too long', expires_at: NOW + 1, seen_at: NOW - 10, idle_seconds: 10, ended_at: null, banned_at: null },
    { title: 'ended', expires_at: NOW + 1, seen_at: NOW - 9, idle_seconds: 10, ended_at: NOW + 100, banned_at: null },
    { title: 'banned', expires_at: NOW + 1, seen_at: NOW - 9, idle_seconds: 10, ended_at: null, banned_at: NOW + 100 },
  ]

  test.each(limits)(
    'says of $title what the proof of a session says',
    async ({ expires_at, seen_at, idle_seconds, ended_at, banned_at }) => {
      const { sub, account, started } = await newAccount(COOKIE)
      const { sid } = started.session
      vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 })
      const values = [expires_at, seen_at, idle_seconds, ended_at, sid]
      await execute(sub, 'UPDATE session SET expires_at = ?, seen_at = ?, idle_seconds = ?, ended_at = ? WHERE sid = ?', ...values)
      await execute(sub, 'UPDATE account SET banned_at = ?, ver = 5', banned_at)
      const proven = async (ver: number) => {
        const answer = await account.session({ kind: 'token', sid, ver })
        return answer.ok ? 'active' : answer.error
      }
      const living = expires_at > NOW && seen_at + idle_seconds > NOW && ended_at === null && banned_at === null
      expect(await account.check(sid, 5)).toBe(living ? 'active' : 'revoked')
      expect(await account.check(sid, 4)).toBe(living ? 'outdated' : 'revoked')
      for (const ver of [4, 5, 6]) expect(await account.check(sid, ver)).toBe(await proven(ver))
    },
  )

  test('is `revoked` for a session of nobody, and where there is no account', async () => {
    const { account, started } = await newAccount(COOKIE)
    expect(await account.check('nobody', 1)).toBe('revoked')
    expect(await accountOf('nobody').check(started.session.sid, 1)).toBe('revoked')
  })

  test('is read again each time: what another instance stored is seen at once', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    const { sid } = started.session
    expect(await account.check(sid, 1)).toBe('active')
    await execute(sub, 'UPDATE session SET ended_at = 1 WHERE sid = ?', sid)
    expect(await account.check(sid, 1)).toBe('revoked')
    await evictDurableObject(account)
    expect(await accountOf(sub).check(sid, 1)).toBe('revoked')
  })
})

describe('withAccounts', () => {
  const never = async () => {
    throw new Error('not to be asked')
  }
  const BINDING: VerifierBinding = {
    jwks: async () => ({ keys: [{ kid: 'one' }] }),
    revocations: async (after) => new TextEncoder().encode(`after ${after}`),
    check: never,
  }
  const claims = (sub: string, sid: string | undefined, ver = 1) => ({
    iss: 'https://auth.example',
    sub,
    aud: 'https://auth.example',
    exp: 2,
    iat: 1,
    jti: 'jti',
    client_id: FIRST_PARTY_CLIENT_ID,
    scope: '',
    ver,
    ...(sid === undefined ? {} : { sid }),
  })
  const failing = (...errors: object[]) => {
    const asked: string[] = []
    const check = async () => {
      const error = errors.shift()
      if (error) throw Object.assign(new Error('failed'), error)
      return 'active' as const
    }
    const getByName = (name: string) => {
      asked.push(name)
      return { check }
    }
    return { asked, binding: withAccounts(BINDING, { getByName }) }
  }

  test('asks the account itself, and leaves the keys and the list to the service binding', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    const binding = withAccounts(BINDING, env.ACCOUNT)
    const check = (ver: number) => binding.check('', claims(sub, started.session.sid, ver))
    expect(await binding.jwks()).toEqual({ keys: [{ kid: 'one' }] })
    expect(new TextDecoder().decode(await binding.revocations('7'))).toBe('after 7')
    expect(await check(1)).toEqual({ active: true })
    await account.setRoles(['editor'])
    expect(await check(1)).toEqual({ active: false, error: 'outdated' })
    await account.ban()
    expect(await check(9)).toEqual({ active: false, error: 'revoked' })
  })

  test('leaves a token whose key is doubted to the service binding: no account knows of keys', async () => {
    const { asked, binding } = failing()
    await expect(binding.check('', claims('ann', 'sid'), 'kid')).rejects.toThrow('not to be asked')
    expect(asked).toEqual([])
  })

  test('finds a token without a session revoked, and asks nobody', async () => {
    const { asked, binding } = failing()
    expect(await binding.check('', claims('ann', undefined))).toEqual({ active: false, error: 'revoked' })
    expect(asked).toEqual([])
  })

  test('asks again once, with a new stub, when the object says that it may', async () => {
    const once = failing({ retryable: true })
    expect(await once.binding.check('', claims('ann', 'sid'))).toEqual({ active: true })
    expect(once.asked).toEqual(['ann', 'ann'])
    const twice = failing({ retryable: true }, { retryable: true })
    await expect(twice.binding.check('', claims('ann', 'sid'))).rejects.toThrow('failed')
    expect(twice.asked).toHaveLength(2)
  })

  test.each([{}, { retryable: true, overloaded: true }])('does not ask again after %j', async (error) => {
    const { asked, binding } = failing(error)
    await expect(binding.check('', claims('ann', 'sid'))).rejects.toThrow('failed')
    expect(asked).toHaveLength(1)
  })

  test('an answer that makes no sense is none', async () => {
    const odd = { getByName: () => ({ check: async () => JSON.parse('true') }) }
    await expect(withAccounts(BINDING, odd).check('', claims('ann', 'sid'))).rejects.toThrow('no verdict')
  })
})
