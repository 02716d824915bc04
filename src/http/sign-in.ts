import { locateIdentifier } from '../accounts/identifier.ts'
import { hashNew, hashPassword } from '../login/password-hash.ts'
import { normalizePassword } from '../login/password-policy.ts'
import type { Trier } from '../login/sign-in.ts'
import type { Carry } from '../sessions/start.ts'
import { openDeviceCookie } from '../tokens/device-cookie.ts'
import { type Started, startedAnswer } from './answer.ts'
import { besides } from './besides.ts'
import type { AppContext } from './context.ts'
import { DEVICE_COOKIE, readCookie } from './cookies.ts'
import { withHashSlot } from './hashing.ts'
import { log } from './log.ts'
import { withBody } from './operation.ts'
import { refuseForeignOrigin } from './origin.ts'
import { ApiError } from './problem.ts'
import { endReplacedSession } from './replaced-session.ts'
import { SignInBody, StartedAnswer } from './schemas.ts'
import { carryOf, requireEmail, userAgentOf } from './sign-up.ts'

/** The device, when its cookie belongs to this very account. */
async function deviceOf(c: AppContext, sub: string): Promise<Trier['device']> {
  const cookie = readCookie(c, DEVICE_COOKIE)
  const opened = cookie === null ? null : await openDeviceCookie(c.get('services').ring, cookie)
  return opened?.sub === sub ? { id: opened.device, issued_at: opened.issued_at } : null
}

/**
 * The whole of a sign-in with a password, for the JSON route and the page alike: who asks cannot tell an unknown address from a wrong
 * password on either. Throws the refusal.
 */
export async function signInWithPassword(c: AppContext, typed: { email: string; password: string; carry: Carry }): Promise<Started> {
  const { carry } = typed
  const email = requireEmail(typed.email)
  const password = normalizePassword(typed.password)
  if (password === null)
    throw new ApiError('invalid_request', {
      errors: [{ pointer: '/password', detail: 'must be well-formed, of at most 256 characters' }],
    })
  const { identifier, account } = c.get('objects')
  const { shard, digest, decoy, counter } = await locateIdentifier(email)
  const owner = await identifier(shard, 'resolve', (stub) => stub.resolve(digest))
  const sub = owner ?? decoy
  const trier = { device: await deviceOf(c, sub), decoy: owner === null ? counter : null }
  // The slot spans the count, the hash and the compare, so that no more tries are counted than can be hashed.
  const signedIn = await withHashSlot(
    c,
    async () => {
      const begun = await account(sub, 'beginSignIn', (stub) => stub.beginSignIn(trier), { repeatable: false })
      if (!begun.ok) return begun
      const given = { trier, digest: hashPassword(password, begun.parameters), user_agent: userAgentOf(c), carry }
      return account(sub, 'signIn', (stub) => stub.signIn(given), { repeatable: false })
    },
    { known: trier.device !== null },
  )
  if (!signedIn.ok) {
    if (signedIn.error === 'too_many_attempts') throw new ApiError('too_many_attempts', { retryAfter: signedIn.retryAfter })
    throw new ApiError('invalid_credentials', { reason: signedIn.reason })
  }
  const before = signedIn.rehash
  if (before !== null)
    await besides(c, 'rehash', async () => {
      const phc = await withHashSlot(c, async () => hashNew(password))
      await account(sub, 'rehash', (stub) => stub.rehash(before, phc))
    })
  if (carry.use === 'cookie') await endReplacedSession(c, { sub, sid: signedIn.started.session.sid })
  log(c, 'info', 'signed_in', { sub, sid: signedIn.started.session.sid, use: carry.use, known_device: trier.device !== null })
  return { sub, started: signedIn.started, device: signedIn.device, profile: signedIn.account }
}

export const signIn = withBody({
  summary: 'Sign in with a password. An unknown address and a wrong password are one answer, and take the same path.',
  access: 'open',
  body: SignInBody,
  answers: { 200: { description: 'Signed in: the session (use "cookie") or tokens (use "tokens").', schema: StartedAnswer } },
  problems: ['invalid_credentials', 'too_many_attempts', 'cross_origin', 'browser_origin', 'invalid_target', 'invalid_scope', 'overloaded'],
  async handle(c, body) {
    refuseForeignOrigin(c)
    const { email, password } = body
    return startedAnswer(c, await signInWithPassword(c, { email, password, carry: carryOf(c, body) }), 200)
  },
})
