import { locateIdentifier, normalizeEmail } from '../accounts/identifier.ts'
import type { SigningAlgorithm } from '../keys/key.ts'
import type { Account } from '../objects/account.ts'
import type { Ended } from '../objects/account-answers.ts'
import type { Rotated } from '../objects/key-set.ts'
import { decodeBase64url } from '../protocol/base64url.ts'
import { readBearer } from '../protocol/bearer.ts'
import { requireDenied } from './answer.ts'
import type { AppContext } from './context.ts'
import { log } from './log.ts'
import type { Methods } from './objects.ts'
import { type Operation, operation, withBody } from './operation.ts'
import { ApiError } from './problem.ts'
import { AccountAnswer, KeysAnswer, RolesBody, RotatedAnswer, RotationBody } from './schemas.ts'

/** How old a verifier's view may be before a `live` answer waits for a new one (`freshFor` of the SDK), and some; in milliseconds. */
const VIEW_MS = 1200

const sha256 = (text: string) => crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))

/** The operator's secret, compared as digests in constant time. Without ADMIN_TOKEN these routes do not exist. */
export async function requireOperator(c: AppContext): Promise<void> {
  const { adminToken } = c.get('services').config
  if (adminToken === undefined) throw new ApiError('not_found')
  const bearer = readBearer(c.req.raw.headers, c.req.url)
  const [given, expected] = await Promise.all([sha256(bearer.ok ? bearer.token : ''), sha256(adminToken)])
  if (!bearer.ok || !crypto.subtle.timingSafeEqual(given, expected)) {
    log(c, 'warn', 'operator_refused')
    throw new ApiError('invalid_token', { headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' } })
  }
}

/** An account id as we make them; anything else names no account, and opens no object. */
function subOf(c: AppContext): string {
  const sub = c.req.param('sub') ?? ''
  if (decodeBase64url(sub)?.length !== 16) throw new ApiError('not_found')
  return sub
}

export const listedKeys = operation({
  summary: 'The signing keys and their states.',
  access: 'operator',
  answers: { 200: { description: 'The keys, those of access tokens first, then by age.', schema: KeysAnswer } },
  problems: ['invalid_token'],
  async handle(c) {
    return c.json({ keys: await c.get('objects').keySet('list', (stub) => stub.list()) })
  },
})

/** Waits for the next key to have been published for a moment: two rotations in a row must refuse nobody. */
async function rotate(c: AppContext, alg: SigningAlgorithm | undefined): Promise<Rotated> {
  for (;;) {
    const rotated = await c.get('objects').keySet('rotate', (stub) => stub.rotate(alg), { repeatable: false })
    if (rotated.ok || rotated.error !== 'too_soon') return rotated
    await scheduler.wait(rotated.retryAfter * 1000)
  }
}

export const rotatedKeys = withBody({
  summary: 'Let the published next key sign from now on. Tokens of the old one stay valid until they expire.',
  access: 'operator',
  body: RotationBody,
  answers: { 201: { description: 'The key that signs now.', schema: RotatedAnswer } },
  problems: ['invalid_token', 'too_many_keys'],
  async handle(c, { alg }) {
    const rotated = await rotate(c, alg)
    if (!rotated.ok && rotated.error === 'unknown_alg') {
      throw new ApiError('invalid_request', { errors: [{ pointer: '/alg', detail: 'is an algorithm that nothing is signed with here' }] })
    }
    if (!rotated.ok) throw new ApiError('too_many_keys', { retryAfter: rotated.retryAfter })
    const { kid } = rotated
    c.get('services').signer.forget()
    log(c, 'warn', 'key_rotated', { kid })
    return c.json({ kid }, 201)
  },
})

export const revokedKey = operation({
  summary: 'Emergency: deny everything this key signed, and let the next one sign.',
  access: 'operator',
  answers: { 204: { description: 'Denied, and the revocation list knows.' } },
  problems: ['invalid_token', 'not_found', 'unavailable'],
  async handle(c) {
    const kid = c.req.param('kid') ?? ''
    const revoked = await c.get('objects').keySet('revoke', (stub) => stub.revoke(kid))
    if (!revoked) throw new ApiError('not_found')
    c.get('services').signer.forget()
    log(c, 'warn', 'key_revoked', { kid })
    requireDenied(revoked)
    // `live` asks the owner of a token, who knows nothing of keys: it relies on views at most VIEW_MS old. Answer when all have it.
    await scheduler.wait(VIEW_MS)
    return c.body(null, 204)
  },
})

export const renewedRevocations = operation({
  summary: "After restoring the revocation list's storage: begin a new epoch, so that verifiers ask `live` for every token older than it.",
  access: 'operator',
  answers: { 204: { description: 'Begun; verifiers notice with their next poll.' } },
  problems: ['invalid_token', 'unavailable'],
  async handle(c) {
    // Named here, so that the wrapper's second try of a call without a reply renews nothing again.
    const bytes = crypto.getRandomValues(new Uint8Array(8))
    const name = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const { epoch } = await c.get('objects').list('renewEpoch', (stub) => stub.renewEpoch(name))
    log(c, 'warn', 'revocations_renewed', { epoch })
    return c.body(null, 204)
  },
})

export const foundAccount = operation({
  summary: 'The account with an address.',
  access: 'operator',
  query: { email: 'The e-mail address, in any spelling.' },
  answers: { 200: { description: 'The account.', schema: AccountAnswer } },
  problems: ['invalid_token', 'not_found'],
  async handle(c) {
    const email = normalizeEmail(c.req.query('email') ?? '')
    if (email === null) throw new ApiError('invalid_request', { errors: [{ pointer: '', detail: 'email must be an e-mail address' }] })
    const { identifier, account } = c.get('objects')
    const { shard, digest } = await locateIdentifier(email)
    const sub = await identifier(shard, 'resolve', (stub) => stub.resolve(digest))
    const found = sub === null ? null : await account(sub, 'describe', (stub) => stub.describe())
    if (!found) throw new ApiError('not_found')
    return c.json(found)
  },
})

/** An operator's change to one account: 204 once the revocation list knows. */
async function operate(c: AppContext, event: string, change: (account: Methods<Account>) => Promise<Ended | null>): Promise<Response> {
  const sub = subOf(c)
  const ended = await c.get('objects').account(sub, event, change)
  if (!ended) throw new ApiError('not_found')
  log(c, 'warn', `account_${event}`, { sub })
  requireDenied(ended)
  return c.body(null, 204)
}

const accountChange = (summary: string, handle: Operation['handle']): Operation =>
  operation({
    summary,
    access: 'operator',
    answers: { 204: { description: 'Done, and the revocation list knows.' } },
    problems: ['invalid_token', 'not_found', 'unavailable'],
    handle,
  })

export const bannedAccount = accountChange(
  'Ban: sign-in answers as a wrong password does, sessions and families end, tokens are denied.',
  (c) => operate(c, 'ban', (stub) => stub.ban()),
)
export const unbannedAccount = accountChange('Lift a ban. What the ban ended stays ended.', (c) =>
  operate(c, 'unban', (stub) => stub.unban()),
)
export const endedAccountSessions = accountChange('End every session of an account.', (c) => operate(c, 'endAll', (stub) => stub.endAll()))

export const setRoles = withBody({
  summary: "Set an account's roles. Access tokens with the old ones are outdated; sessions live on.",
  access: 'operator',
  body: RolesBody,
  answers: { 204: { description: 'Set, and the revocation list knows.' } },
  problems: ['invalid_token', 'not_found', 'unavailable'],
  handle: (c, { roles }) => operate(c, 'setRoles', (stub) => stub.setRoles(roles)),
})
