import { runInDurableObject } from 'cloudflare:test'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FAMILY_IDLE_SECONDS } from '../../src/sessions/session.ts'
import { accountOf, newAccount, TOKENS } from '../support/account.ts'

afterEach(() => {
  vi.useRealTimers()
})

const NOW = 2_000_000_000

const execute = (sub: string, sql: string, ...values: (string | number | null)[]) =>
  runInDurableObject(accountOf(sub), (_, state) => {
    state.storage.sql.exec(sql, ...values)
  })

/** An account with a session and a grant that are good for one second more. */
async function grantOfOneSecond() {
  const { sub, account, started } = await newAccount(TOKENS)
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 })
  const { sid } = started.session
  const { grant_id } = started.refresh
  await execute(sub, 'UPDATE session SET expires_at = ?, seen_at = ?, idle_seconds = 10', NOW + 1, NOW - 9)
  await execute(sub, 'UPDATE family SET expires_at = ?, rotated_at = ?', NOW + 1, NOW + 1 - FAMILY_IDLE_SECONDS)
  await execute(sub, 'UPDATE account SET ver = 5')
  return { sub, account, sid, grant_id }
}

describe("the `live` answer about an OAuth client's token", () => {
  const changes = [
    { title: 'everything lives', sql: 'SELECT 1', dead: [] },
    { title: 'the account is banned', sql: `UPDATE account SET banned_at = ${NOW + 100}`, dead: ['sid', 'grant_id', 'both'] },
    { title: 'the session has ended', sql: `UPDATE session SET ended_at = ${NOW + 100}`, dead: ['sid', 'both'] },
    { title: 'the session has expired', sql: `UPDATE session SET expires_at = ${NOW}`, dead: ['sid', 'both'] },
    { title: 'the session was idle for too long', sql: `UPDATE session SET seen_at = ${NOW - 10}`, dead: ['sid', 'both'] },
    { title: 'the session is gone', sql: 'DELETE FROM session', dead: ['sid', 'both'] },
    { title: 'the grant has ended', sql: `UPDATE family SET ended_at = ${NOW + 100}`, dead: ['grant_id', 'both'] },
    { title: 'the grant has expired', sql: `UPDATE family SET expires_at = ${NOW}`, dead: ['grant_id', 'both'] },
    {
      title: 'the grant was idle for too long',
      sql: `UPDATE family SET rotated_at = ${NOW - FAMILY_IDLE_SECONDS}`,
      dead: ['grant_id', 'both'],
    },
    { title: 'the grant is gone', sql: 'DELETE FROM family', dead: ['grant_id', 'both'] },
    {
      title: 'the token was revoked',
      sql: `INSERT INTO revoked_token (jti, expires_at) VALUES ('the-jti', ${NOW + 100})`,
      dead: ['sid', 'grant_id', 'both'],
    },
    { title: 'another token was revoked', sql: `INSERT INTO revoked_token (jti, expires_at) VALUES ('other', ${NOW + 100})`, dead: [] },
    { title: 'the account is gone', sql: 'DELETE FROM account', dead: ['sid', 'grant_id', 'both'] },
  ]

  test.each(changes)('is what the owner of the token is told when $title', async ({ sql, dead }) => {
    const { sub, account, sid, grant_id } = await grantOfOneSecond()
    await execute(sub, sql)
    const named = { sid: { sid }, grant_id: { grant_id }, both: { sid, grant_id } }
    for (const [names, hangsOn] of Object.entries(named)) {
      for (const ver of [4, 5, 6]) {
        const ids = { jti: 'the-jti', client_id: 'a-client', ver, ...hangsOn }
        const answer = await account.checkGrant(ids)
        const living = ver < 5 ? 'outdated' : 'active'
        expect(answer, `${names}, ${ver}`).toBe(dead.includes(names) ? 'revoked' : living)
        const owner = await account.owner(ids)
        expect(answer).toBe(owner.ok ? 'active' : owner.error)
      }
    }
  })

  test('is `revoked` for a token that names neither a session nor a grant', async () => {
    const { account } = await grantOfOneSecond()
    expect(await account.checkGrant({ jti: 'the-jti', client_id: 'a-client', ver: 5 })).toBe('revoked')
  })
})
