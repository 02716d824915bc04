import { encodePhc, hashPassword, newParameters } from '../login/password-hash.ts'
import { checkNewPassword, DEFAULT_MIN_LENGTH, normalizePassword } from '../login/password-policy.ts'
import { requireDenied } from './answer.ts'
import { requireCaller, unproven } from './caller.ts'
import { log } from './log.ts'
import { withBody } from './operation.ts'
import { ApiError } from './problem.ts'
import { PasswordBody } from './schemas.ts'
import { overloaded } from './sign-up.ts'

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
    const current = normalizePassword(body.current_password)
    const precheck = checkNewPassword(body.new_password, { minLength: DEFAULT_MIN_LENGTH })
    if (!precheck.ok) throw new ApiError(precheck.code, { detail: precheck.detail })
    const tried = await c.get('services').hashes.run(async () => {
      const begun = await account(sub, 'beginPasswordChange', (stub) => stub.beginPasswordChange(proof))
      if (!begun.ok) return begun
      const { email, name } = begun.person
      const checked = checkNewPassword(body.new_password, { email, ...(name === null ? {} : { name }), minLength: DEFAULT_MIN_LENGTH })
      if (!checked.ok) return { ok: false as const, error: checked.code, detail: checked.detail }
      const digest = hashPassword(current ?? '', begun.parameters)
      const parameters = newParameters()
      const phc = encodePhc(parameters, hashPassword(checked.password, parameters))
      return account(sub, 'changePassword', (stub) => stub.changePassword(proof, digest, phc), { repeatable: false })
    })
    if (!tried.ok) throw overloaded(tried.retryAfter)
    const changed = tried.value
    if (!changed.ok) {
      switch (changed.error) {
        case 'no_session':
        case 'revoked':
        case 'outdated':
          throw unproven({ ok: false, error: changed.error })
        case 'too_many_attempts':
          throw new ApiError('too_many_attempts', { retryAfter: changed.retryAfter })
        default:
          throw new ApiError(changed.error, 'detail' in changed ? { detail: changed.detail } : {})
      }
    }
    requireDenied(changed)
    log(c, 'info', 'password_changed', { sub })
    return c.body(null, 204)
  },
})
