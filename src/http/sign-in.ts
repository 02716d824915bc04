import { locateIdentifier } from '../accounts/identifier.ts'
import { encodePhc, hashPassword, newParameters } from '../login/password-hash.ts'
import { normalizePassword } from '../login/password-policy.ts'
import { decoyOf } from '../tokens/decoy.ts'
import { openDeviceCookie } from '../tokens/device-cookie.ts'
import { openSessionCookie } from '../tokens/session-cookie.ts'
import { startedAnswer } from './answer.ts'
import type { AppContext } from './context.ts'
import { DEVICE_COOKIE, readCookie, SESSION_COOKIE } from './cookies.ts'
import { log } from './log.ts'
import { withBody } from './operation.ts'
import { refuseForeignOrigin } from './origin.ts'
import { ApiError } from './problem.ts'
import { SignInBody, StartedAnswer } from './schemas.ts'
import { carryOf, overloaded, requireEmail, userAgentOf } from './sign-up.ts'

/** The id of the device, when its cookie belongs to this very account. */
async function knownDevice(c: AppContext, sub: string): Promise<string | null> {
  const cookie = readCookie(c, DEVICE_COOKIE)
  const opened = cookie === null ? null : await openDeviceCookie(c.get('services').ring, cookie)
  return opened?.sub === sub ? opened.device : null
}

/** A browser that signs in again leaves its earlier session behind (ASVS 7.2.4): nobody could end it, its cookie is overwritten. */
async function endReplacedSession(c: AppContext): Promise<void> {
  const cookie = readCookie(c, SESSION_COOKIE)
  const replaced = cookie === null ? null : await openSessionCookie(c.get('services').ring, cookie)
  if (!replaced) return
  const { sub, sid, secret } = replaced
  await c.get('objects').account(sub, 'signOut', (stub) => stub.signOut({ by: 'cookie', sid, secret }))
}

export const signIn = withBody({
  summary: 'Sign in with a password. An unknown address and a wrong password are one answer, and take the same path.',
  access: 'open',
  body: SignInBody,
  answers: { 200: { description: 'Signed in: the session (use "cookie") or tokens (use "tokens").', schema: StartedAnswer } },
  problems: ['invalid_credentials', 'too_many_attempts', 'cross_origin', 'browser_origin', 'invalid_target', 'invalid_scope', 'overloaded'],
  async handle(c, body) {
    refuseForeignOrigin(c)
    const carry = carryOf(c, body)
    const email = requireEmail(body.email)
    const password = normalizePassword(body.password)
    if (password === null)
      throw new ApiError('invalid_request', {
        errors: [{ pointer: '/password', detail: 'must be well-formed, of at most 256 characters' }],
      })
    const { ring, hashes } = c.get('services')
    const { identifier, account } = c.get('objects')
    const { shard, digest } = await locateIdentifier(email)
    const [owner, decoy] = await Promise.all([identifier(shard, 'resolve', (stub) => stub.resolve(digest)), decoyOf(ring, email)])
    const sub = owner ?? decoy
    const device = await knownDevice(c, sub)
    // The slot spans the count, the hash and the compare, so that no more tries are counted than can be hashed.
    const tried = await hashes.run(async () => {
      const begun = await account(sub, 'beginSignIn', (stub) => stub.beginSignIn(device))
      if (!begun.ok) return begun
      const given = { device, digest: hashPassword(password, begun.parameters), user_agent: userAgentOf(c), carry }
      return account(sub, 'signIn', (stub) => stub.signIn(given), { repeatable: false })
    })
    if (!tried.ok) throw overloaded(tried.retryAfter)
    const signedIn = tried.value
    if (!signedIn.ok) {
      if (signedIn.error === 'too_many_attempts') throw new ApiError('too_many_attempts', { retryAfter: signedIn.retryAfter })
      throw new ApiError('invalid_credentials', { reason: signedIn.reason })
    }
    if (signedIn.rehash) await rehash(c, sub, password, signedIn.rehash)
    if (carry.use === 'cookie') await endReplacedSession(c)
    log(c, 'info', 'signed_in', { sub, sid: signedIn.started.session.sid, use: carry.use, known_device: device !== null })
    return startedAnswer(c, sub, signedIn.started, signedIn.device, signedIn.account, 200)
  },
})

/** A hash with yesterday's parameters is replaced while the password is at hand. A full queue only puts it off to the next sign-in. */
async function rehash(c: AppContext, sub: string, password: string, before: string): Promise<void> {
  const hashed = await c.get('services').hashes.run(async () => {
    const parameters = newParameters()
    return encodePhc(parameters, hashPassword(password, parameters))
  })
  if (hashed.ok) await c.get('objects').account(sub, 'rehash', (stub) => stub.rehash(before, hashed.value))
}
