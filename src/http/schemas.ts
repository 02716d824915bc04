import * as v from 'valibot'
import { SIGNING_ALGORITHMS } from '../keys/key.ts'

/** The shapes of the `/api` bodies: what validates them is what `GET /api/openapi.json` shows. Lengths are in UTF-16 units. */

/** Text that UTF-8 can hold and a screen can show: no lone surrogates, no control characters. */
const text = (max: number) =>
  v.pipe(
    v.string('must be a string'),
    v.maxLength(max, `must have at most ${max} characters`),
    v.check((value) => value.isWellFormed(), 'must be well-formed Unicode'),
  )

const line = (max: number) => v.pipe(text(max), v.regex(/^\P{Cc}*$/u, 'must not have control characters'))

const email = v.pipe(
  line(1016),
  v.minLength(3, 'must be an e-mail address'),
  v.description('An e-mail address; compared after NFKC, lower case and trimming.'),
)
const password = v.pipe(
  v.string('must be a string'),
  v.maxLength(1024, 'must have at most 1024 characters'),
  v.minLength(1, 'must not be empty'),
)
const use = v.optional(
  v.pipe(
    v.picklist(['cookie', 'tokens'], 'must be "cookie" or "tokens"'),
    v.description('How the session is carried. "tokens" is refused with an Origin.'),
  ),
)
const audience = v.optional(v.pipe(line(2048), v.description('One of AUDIENCES; the issuer unless given.')))
const scope = v.optional(v.pipe(line(1024), v.description('Scope tokens separated by a space, each one of SCOPES.')))
const object = <T extends v.ObjectEntries>(entries: T) => v.object(entries)

export const SignInBody = object({ email, password, use, audience, scope })
export const SignUpBody = object({
  ...SignInBody.entries,
  name: v.optional(v.pipe(line(200), v.trim(), v.minLength(1, 'must not be empty'))),
})
export const SignOutBody = object({ refresh_token: v.optional(text(512)) })
export const RefreshBody = object({ refresh_token: text(512) })
export const TokenBody = object({ audience, scope })
export const PasswordBody = object({ current_password: password, new_password: password })
const role = v.pipe(v.string('must be a string'), v.regex(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible ASCII characters'))
export const RolesBody = object({ roles: v.pipe(v.array(role, 'must be an array'), v.maxLength(32, 'must have at most 32 items')) })

export const RotationBody = object({
  alg: v.optional(
    v.pipe(
      v.picklist(SIGNING_ALGORITHMS, `must be one of: ${SIGNING_ALGORITHMS.join(', ')}`),
      v.description('Whose keys: the algorithm of access tokens unless given, or RS256, which signs ID tokens.'),
    ),
  ),
})

const seconds = v.pipe(v.number(), v.integer(), v.description('Seconds since 1970.'))

/** Answers. Nothing is checked against these at run time; tests are. */
export const SessionAnswer = v.object({
  sub: v.string(),
  sid: v.string(),
  email: v.string(),
  name: v.nullable(v.string()),
  roles: v.array(v.string()),
  auth_time: seconds,
  acr: v.string(),
  amr: v.array(v.string()),
  created_at: seconds,
  expires_at: seconds,
})
export const AccessTokenAnswer = v.object({
  access_token: v.string(),
  token_type: v.literal('Bearer'),
  expires_in: v.pipe(v.number(), v.integer(), v.description('Seconds.')),
  scope: v.string(),
})
export const TokensAnswer = v.object({ ...AccessTokenAnswer.entries, refresh_token: v.string(), sid: v.string() })
/** A sign-up and a sign-in: the session for `use: "cookie"`, tokens for `use: "tokens"`. */
export const StartedAnswer = v.union([SessionAnswer, TokensAnswer])
export const SessionsAnswer = v.object({
  sessions: v.array(
    v.object({
      sid: v.string(),
      current: v.boolean(),
      use: v.picklist(['cookie', 'tokens']),
      user_agent: v.string(),
      amr: v.array(v.string()),
      created_at: seconds,
      last_used_at: seconds,
      expires_at: seconds,
    }),
  ),
})
export const WhoAnswer = v.object({ sub: v.string(), sid: v.string() })
export const KeysAnswer = v.object({
  keys: v.array(v.object({ kid: v.string(), alg: v.string(), state: v.picklist(['next', 'active', 'retired', 'revoked']) })),
})
export const RotatedAnswer = v.object({ kid: v.string() })
export const AccountAnswer = v.object({
  sub: v.string(),
  email: v.string(),
  name: v.nullable(v.string()),
  roles: v.array(v.string()),
  banned: v.boolean(),
})
export const ProblemAnswer = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  code: v.string(),
  detail: v.optional(v.string()),
  errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() }))),
  request_id: v.optional(v.string()),
})
