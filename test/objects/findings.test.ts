import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { hashPassword } from '../../src/login/password-hash.ts'
import { callHook } from '../../src/objects/call.ts'
import { decodeFeed, forEachDenial } from '../../src/protocol/feed.ts'
import { accountOf, cheapPhc, LAPTOP, newAccount, PASSWORD, presenting, STRANGER, signInAgain, TOKENS } from '../support/account.ts'

// What was once found by attacking the promises. Each of these has failed before.

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

function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** The different denials that the list holds. */
async function listed(): Promise<number> {
  const feed = decodeFeed(new Uint8Array(await env.REVOCATION_LIST.getByName('list').feed(null)))
  if (!feed.ok) throw new Error('malformed')
  const seen = new Set<string>()
  forEachDenial(feed.segments, (kind, hi, lo) => seen.add(`${kind}.${hi}.${lo}`))
  return seen.size
}

const byToken = (started: { refresh: { grant_id: string; generation: number; secret: Uint8Array } }) => ({
  by: 'refresh_token' as const,
  ...started.refresh,
})
const cookieProof = (started: { session: { sid: string }; secret: Uint8Array }) => ({
  kind: 'cookie' as const,
  sid: started.session.sid,
  secret: started.secret,
})

describe('an acknowledged revocation', () => {
  test('is not lost to a late second delivery of an earlier one, whose outbox number it was given', async () => {
    const { sub, account, started: first } = await newAccount(TOKENS)
    const second = await signInAgain(sub, TOKENS)
    const before = await listed()
    const slow = gate()
    const reached = gate()
    let adds = 0
    callHook.after = async (label) => {
      if (label !== 'RevocationList.add' || ++adds !== 2) return
      reached.open()
      await slow.opened
    }
    // The first denial is on its way twice; one delivery is answered, the other one's answer is late.
    const both = [account.signOut(byToken(first)), account.signOut(byToken(first))]
    await Promise.race(both)
    await reached.opened
    callHook.before = (label) => {
      if (label === 'RevocationList.add') throw new Error('unreachable')
    }
    expect(await account.signOut(byToken(second))).toEqual({ ok: true, denied: false })
    slow.open()
    await Promise.all(both)
    delete callHook.before
    expect(await account.signOut(byToken(second))).toEqual({ ok: true, denied: true })
    expect(await listed()).toBe(before + 2)
  })

  test('is not hidden behind a page full of mails that cannot be delivered', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    callHook.before = (label) => {
      if (label === 'Mailbox.deliver') throw new Error('unreachable')
    }
    for (let n = 0; n < 110; n++) await signInAgain(sub, COOKIE, STRANGER)
    const before = await listed()
    expect(await account.signOut(byToken(started))).toEqual({ ok: true, denied: true })
    expect(await listed()).toBe(before + 1)
  })

  test('holds when the clock of the object steps back', async () => {
    const { sub, account, started } = await newAccount(TOKENS)
    const cookie = await signInAgain(sub, COOKIE)
    await account.signOut(byToken(started))
    await account.signOut({ by: 'cookie', sid: cookie.session.sid, secret: cookie.secret })
    later(-10)
    await evictDurableObject(account)
    expect(await account.check(started.session.sid, 1)).toBe('revoked')
    expect(await account.session(cookieProof(cookie))).toEqual({ ok: false, error: 'no_session' })
    expect(await account.rotateRefreshToken(presenting(started.refresh))).toMatchObject({ ok: false, reason: 'closed' })
  })
})

describe('the repeat of a change whose reply was lost', () => {
  test('says how it came out: log out everywhere, and the end of one’s own session', async () => {
    const { account, started } = await newAccount(COOKIE)
    callHook.before = (label) => {
      if (label === 'RevocationList.add') throw new Error('unreachable')
    }
    expect(await account.endEverySession(cookieProof(started))).toEqual({ ok: true, denied: false })
    delete callHook.before
    expect(await account.endEverySession(cookieProof(started))).toEqual({ ok: true, denied: true })

    const own = await newAccount(COOKIE)
    await own.account.endSession(cookieProof(own.started), own.started.session.sid)
    expect(await own.account.endSession(cookieProof(own.started), own.started.session.sid)).toEqual({ ok: true, denied: true })
  })

  test('ends nothing for a session that has ended while others live', async () => {
    const { sub, account, started } = await newAccount(COOKIE)
    const other = await signInAgain(sub, COOKIE)
    await account.signOut({ by: 'cookie', sid: started.session.sid, secret: started.secret })
    expect(await account.endEverySession(cookieProof(started))).toEqual({ ok: false, error: 'no_session' })
    expect(await account.endSession(cookieProof(started), other.session.sid)).toEqual({ ok: false, error: 'no_session' })
    expect((await account.session(cookieProof(other))).ok).toBe(true)
    const forged = { ...cookieProof(started), secret: new Uint8Array(16) }
    expect(await account.endSession(forged, started.session.sid)).toEqual({ ok: false, error: 'no_session' })
  })

  test('of a password is recognised for ten minutes, by the new password', async () => {
    const { account, started } = await newAccount(COOKIE)
    const proof = cookieProof(started)
    const begin = async () => {
      const begun = await account.beginPasswordChange(proof)
      if (!begun.ok) throw new Error(begun.error)
      return begun.parameters
    }
    const chosen = 'amber-walrus-77-harbour'
    const changed = await account.changePassword(proof, hashPassword(PASSWORD, await begin()), cheapPhc(chosen))
    const parameters = await begin()
    expect(await account.changePassword(proof, hashPassword(PASSWORD, parameters), cheapPhc(chosen))).toEqual({
      ok: false,
      error: 'wrong_password',
    })
    expect(await account.confirmPassword(proof, hashPassword('a guess', parameters))).toEqual({ ok: false })
    expect(await account.confirmPassword(proof, hashPassword(chosen, parameters))).toEqual(changed)
    later(601)
    expect(await account.confirmPassword(proof, hashPassword(chosen, parameters))).toEqual({ ok: false })
  })
})

describe('a refused try', () => {
  test('at an address without an account writes no more than one at an account', async () => {
    const decoy = accountOf('decoy-201')
    const trier = { device: null, decoy: 'somebody' }
    for (let n = 0; n < 10; n++) await decoy.beginSignIn(trier)
    const alarmed = await runInDurableObject(decoy, (_, state) => state.storage.getAlarm())
    later(0.5)
    expect(await decoy.beginSignIn(trier)).toMatchObject({ ok: false })
    expect(await runInDurableObject(decoy, (_, state) => state.storage.getAlarm())).toBe(alarmed)
  })

  test('leaves an alarm behind at a decoy that was emptied between the count and the compare', async () => {
    const decoy = accountOf('decoy-202')
    const trier = { device: null, decoy: 'somebody' }
    await decoy.beginSignIn(trier)
    await runInDurableObject(decoy, (_, state) => state.storage.deleteAlarm())
    await decoy.signIn({ trier, digest: '', user_agent: '', carry: COOKIE })
    expect(await runInDurableObject(decoy, (_, state) => state.storage.getAlarm())).not.toBeNull()
  })
})

test('a sign-in does not wait for a list that hangs', async () => {
  const { sub, account, started } = await newAccount(TOKENS)
  callHook.before = (label) => {
    if (label === 'RevocationList.add') throw new Error('unreachable')
  }
  await account.signOut(byToken(started))
  const hang = gate()
  callHook.before = (label) => (label === 'RevocationList.add' ? hang.opened : undefined)
  expect((await signInAgain(sub, COOKIE, LAPTOP)).session.sid).toMatch(/^[\w-]{22}$/)
  hang.open()
})
