import { hashNew, hashPassword } from '../login/password-hash.ts'
import { checkNewPassword, DEFAULT_MIN_LENGTH, normalizePassword } from '../login/password-policy.ts'
import { openDeviceCookie, sealDeviceCookie } from '../tokens/device-cookie.ts'
import { requireDenied } from './answer.ts'
import { requireCaller, unproven } from './caller.ts'
import type { AppContext } from './context.ts'
import { DEVICE_COOKIE, readCookie, writeDeviceCookie } from './cookies.ts'
import { withHashSlot } from './hashing.ts'
import { log } from './log.ts'
import { withBody } from './operation.ts'
import { ApiError } from './problem.ts'
import { PasswordBody } from './schemas.ts'

/** Devices of the old password are strangers from now on; the one that chose the new one is not. */
async function renewDevice(c: AppContext, sub: string, issued_at: number): Promise<void> {
  const { ring } = c.get('services')
  const cookie = readCookie(c, DEVICE_COOKIE)
  const known = cookie === null ? null : await openDeviceCookie(ring, cookie)
  if (known?.sub === sub) writeDeviceCookie(c, await sealDeviceCookie(ring, { ...known, issued_at }))
}

export const changedPassword = withBody({
  summary: 'Change the password. This session lives on, its access tokens are outdated; every other session ends.',
  access: 'session',
  body: PasswordBody,
  answers: { 204: { description: 'Changed, and the revocation list knows.' } },
  problems: [
    'wrong_password',
    'too_many_attempts',
    'password_too_short',
    'password_too_long',
    'password_common',
    'password_contains_identifier',
    'password_malformed',
    'no_session',
    'two_credentials',
    'cross_origin',
    'overloaded',
    'unavailable',
  ],
  async handle(c, body) {
    const { sub, proof } = await requireCaller(c)
    const { account } = c.get('objects')
    // Before the try is counted: a new password that is refused says nothing of the current one.
    const current = await account(sub, 'session', (stub) => stub.session(proof))
    if (!current.ok) throw unproven(current)
    const { email, name } = current.person
    const checked = checkNewPassword(body.new_password, { email, ...(name === null ? {} : { name }), minLength: DEFAULT_MIN_LENGTH })
    if (!checked.ok) throw new ApiError(checked.code, { detail: checked.detail })
    const changed = await withHashSlot(c, async () => {
      const begun = await account(sub, 'beginPasswordChange', (stub) => stub.beginPasswordChange(proof), { repeatable: false })
      if (!begun.ok) return begun
      const digest = hashPassword(normalizePassword(body.current_password) ?? '', begun.parameters)
      const phc = hashNew(checked.password)
      const made = await account(sub, 'changePassword', (stub) => stub.changePassword(proof, digest, phc), { repeatable: false })
      if (made.ok || made.error !== 'wrong_password') return made
      const again = hashPassword(checked.password, begun.parameters)
      const confirmed = await account(sub, 'confirmPassword', (stub) => stub.confirmPassword(proof, again))
      return confirmed.ok ? confirmed : made
    })
    if (!changed.ok) {
      switch (changed.error) {
        case 'no_session':
        case 'revoked':
        case 'outdated':
          throw unproven({ ok: false, error: changed.error })
        case 'too_many_attempts':
          throw new ApiError('too_many_attempts', { retryAfter: changed.retryAfter })
        default:
          throw new ApiError(changed.error)
      }
    }
    requireDenied(changed)
    await renewDevice(c, sub, changed.changed_at)
    log(c, 'info', 'password_changed', { sub })
    return c.body(null, 204)
  },
})
