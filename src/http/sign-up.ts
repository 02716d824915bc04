import { locateIdentifier, normalizeEmail } from '../accounts/identifier.ts'
import { hashNew } from '../login/password-hash.ts'
import { checkNewPassword, DEFAULT_MIN_LENGTH } from '../login/password-policy.ts'
import type { Carry } from '../sessions/start.ts'
import { randomId } from '../tokens/random-id.ts'
import { type Started, startedAnswer } from './answer.ts'
import { tokenAsk } from './ask.ts'
import type { AppContext } from './context.ts'
import { withHashSlot } from './hashing.ts'
import { log } from './log.ts'
import { networkDigest } from './network.ts'
import { withBody } from './operation.ts'
import { refuseForeignOrigin } from './origin.ts'
import { ApiError } from './problem.ts'
import { endReplacedSession } from './replaced-session.ts'
import { SignUpBody, StartedAnswer } from './schemas.ts'

/** Characters of a User-Agent that a session remembers. */
const USER_AGENT_LENGTH = 256

export const userAgentOf = (c: AppContext) =>
  [...(c.req.header('User-Agent') ?? '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')].slice(0, USER_AGENT_LENGTH).join('')

export function requireEmail(typed: string): string {
  const email = normalizeEmail(typed)
  if (email === null) throw new ApiError('invalid_request', { errors: [{ pointer: '/email', detail: 'must be an e-mail address' }] })
  return email
}

/** How the session will be carried. Tokens are never handed to a page of a browser: whatever runs in it could read them. */
export function carryOf(
  c: AppContext,
  body: { use?: 'cookie' | 'tokens' | undefined; audience?: string | undefined; scope?: string | undefined },
): Carry {
  const { config, ring } = c.get('services')
  if (body.use !== 'tokens') return { use: 'cookie' }
  if (c.req.header('Origin') !== undefined) throw new ApiError('browser_origin')
  const network = networkDigest(ring, c.req.header('CF-Connecting-IP'))
  return { use: 'tokens', ...tokenAsk(config, body), secret_id: ring.newest.id, network }
}

/** The whole of a sign-up with a password, for the JSON route and the page alike. Throws the refusal. */
export async function signUpWithPassword(
  c: AppContext,
  typed: { email: string; password: string; name?: string | undefined; carry: Carry },
): Promise<Started> {
  const { carry, name = null } = typed
  const email = requireEmail(typed.email)
  const checked = checkNewPassword(typed.password, { email, ...(name === null ? {} : { name }), minLength: DEFAULT_MIN_LENGTH })
  if (!checked.ok) throw new ApiError(checked.code, { detail: checked.detail })
  const { identifier, account } = c.get('objects')
  const { shard, digest } = await locateIdentifier(email)
  const proposed = randomId()
  const { sub, fresh } = await identifier(shard, 'claim', (stub) => stub.claim(digest, proposed))
  // Not fresh: taken, or cut short between the two objects. Only the account knows; asking it first saves a hash.
  if (!fresh && (await account(sub, 'exists', (stub) => stub.exists()))) throw new ApiError('identifier_taken')
  const phc = await withHashSlot(c, async () => hashNew(checked.password))
  const made = { sub, email, name, phc, user_agent: userAgentOf(c), carry }
  const created = await account(sub, 'create', (stub) => stub.create(made), { repeatable: false })
  if (!created.ok) throw new ApiError(created.error)
  if (carry.use === 'cookie') await endReplacedSession(c, { sub, sid: created.started.session.sid })
  log(c, 'info', 'signed_up', { sub, sid: created.started.session.sid })
  return { sub, started: created.started, device: created.device, profile: { email, name, roles: [] } }
}

export const signUp = withBody({
  summary: 'Make an account and sign in. Not idempotent: of many requests for one address exactly one gets 201.',
  access: 'open',
  body: SignUpBody,
  answers: { 201: { description: 'Signed in: the session (use "cookie") or tokens (use "tokens").', schema: StartedAnswer } },
  problems: [
    'identifier_taken',
    'cross_origin',
    'browser_origin',
    'invalid_target',
    'invalid_scope',
    'password_too_short',
    'password_too_long',
    'password_common',
    'password_contains_identifier',
    'password_malformed',
    'overloaded',
  ],
  async handle(c, body) {
    refuseForeignOrigin(c)
    const { email, password, name } = body
    return startedAnswer(c, await signUpWithPassword(c, { email, password, name, carry: carryOf(c, body) }), 201)
  },
})
