import { SIGNING_ALGORITHMS, type SigningAlgorithm } from './keys/key.ts'
import { parseScope } from './protocol/scope.ts'

/** A variable that is wrong, and what to do about it. Never holds a value: it is shown to whoever asks. */
export type ConfigProblem = { variable: string; remedy: string }

export type Config = {
  readonly development: boolean
  /** The issuer: an origin, without a trailing slash. */
  readonly issuer: string
  /** Newest first. */
  readonly secrets: readonly string[]
  /** Undefined: the operator routes do not exist. */
  readonly adminToken: string | undefined
  /** The issuer first: it is the default audience. */
  readonly audiences: readonly string[]
  /** What a first-party token may say; the first is what it says unless asked. */
  readonly scopes: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly signingAlg: SigningAlgorithm
  readonly lab: boolean
  /** Whether the command `sallyport` may sign people in here. */
  readonly cliClient: boolean
  /** The text that replaces clients.toml; undefined: the file's own. */
  readonly clientsToml: string | undefined
  /** Opens registration in production. Undefined: there it does not exist. */
  readonly initialAccessToken: string | undefined
}

/** The scope that `/api/session*` and `/api/password` ask of a bearer token. */
export const ACCOUNT_SCOPE = 'account'

/** At least 32 bytes, counted as characters: what `openssl rand -base64 32` gives has 44. */
const MIN_SECRET_LENGTH = 32

type Strings = Readonly<Record<string, unknown>>

class Wrong extends Error {
  readonly problem: ConfigProblem
  constructor(variable: string, remedy: string) {
    super(variable)
    this.problem = { variable, remedy }
  }
}

const items = (text: string | undefined): string[] => (text ?? '').split(',').flatMap((item) => item.trim() || [])

function read(env: Strings, variable: string): string | undefined {
  const value = env[variable]
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') throw new Wrong(variable, 'must be a string')
  return value
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}

/** An origin exactly as `new URL(text).origin` spells it: https, or in development http on loopback. */
function origin(variable: string, text: string, development: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.origin !== text)
    throw new Wrong(variable, 'must be an origin such as https://auth.example.com, with no path and no trailing slash')
  if (url.protocol === 'https:' || (development && url.protocol === 'http:' && isLoopback(url.hostname))) return text
  throw new Wrong(variable, 'must be https (http only on loopback, in development)')
}

function secrets(env: Strings): string[] {
  const list = items(read(env, 'SALLYPORT_SECRET'))
  if (list.length === 0) throw new Wrong('SALLYPORT_SECRET', 'is missing; `npm start` and `npm run deploy` make one')
  if (list.some((secret) => secret.length < MIN_SECRET_LENGTH)) {
    throw new Wrong('SALLYPORT_SECRET', `each secret must have at least ${MIN_SECRET_LENGTH} characters; try \`openssl rand -base64 32\``)
  }
  return list
}

function oneOf<T extends string>(env: Strings, variable: string, choices: readonly T[], fallback: T): T {
  const value = read(env, variable) ?? fallback
  const choice = choices.find((item) => item === value)
  if (choice === undefined) throw new Wrong(variable, `must be one of: ${choices.join(', ')}`)
  return choice
}

/** `absent`: what there is without it. */
function bearerToken(env: Strings, variable: string, absent: string): string | undefined {
  const token = read(env, variable)
  if (token !== undefined && token.length < MIN_SECRET_LENGTH) {
    throw new Wrong(variable, `must have at least ${MIN_SECRET_LENGTH} characters, or be absent: then there ${absent}`)
  }
  if (token !== undefined && !/^[\w\-.~+/]+=*$/.test(token)) {
    throw new Wrong(variable, 'must be letters, digits and -._~+/ only, as a bearer token is (RFC 6750, 2.1)')
  }
  return token
}

function audiences(env: Strings, issuer: string): string[] {
  const list = items(read(env, 'AUDIENCES'))
  if (list.some((item) => !URL.canParse(item) || item.includes('#') || item.length > 2048)) {
    throw new Wrong('AUDIENCES', 'must be absolute URIs without a fragment, separated by commas')
  }
  return [...new Set([issuer, ...list])]
}

function scopes(env: Strings): string[] {
  const text = read(env, 'SCOPES')
  if (text === undefined) return [ACCOUNT_SCOPE]
  const list = parseScope(text)
  if (!list) throw new Wrong('SCOPES', 'must be scope tokens separated by one space (RFC 6749, 3.3)')
  return [...new Set([ACCOUNT_SCOPE, ...list])]
}

function signUp(env: Strings): void {
  const mode = oneOf(env, 'SIGN_UP', ['verified', 'immediate'], 'verified')
  if (mode === 'verified') {
    throw new Wrong(
      'SIGN_UP',
      'set SIGN_UP = "immediate": sign-up by verified e-mail is not there yet. "immediate" tells whether an address has an account',
    )
  }
}

/**
 * Reads and checks every variable once. Development is exactly `SALLYPORT_ENV = "development"`; anything else is production, whatever the
 * host of a request says. A wrong value is an answer that names the variable and the remedy, and the Worker serves nothing until it is right.
 */
export function readConfig(env: Strings): { ok: true; config: Config } | { ok: false; problem: ConfigProblem } {
  try {
    const development = env.SALLYPORT_ENV === 'development'
    const text = read(env, 'ISSUER')
    if (text === undefined) throw new Wrong('ISSUER', 'is missing; set it to the origin that this Worker is reached at')
    const issuer = origin('ISSUER', text, development)
    signUp(env)
    const config: Config = {
      development,
      issuer,
      secrets: secrets(env),
      adminToken: bearerToken(env, 'ADMIN_TOKEN', 'are no operator routes'),
      audiences: audiences(env, issuer),
      scopes: scopes(env),
      allowedOrigins: items(read(env, 'ALLOWED_ORIGINS')).map((item) => origin('ALLOWED_ORIGINS', item, development)),
      signingAlg: oneOf(env, 'SIGNING_ALG', SIGNING_ALGORITHMS, 'ES256'),
      lab: oneOf(env, 'LAB', ['on', 'off'], development ? 'on' : 'off') === 'on',
      cliClient: oneOf(env, 'CLI_CLIENT', ['on', 'off'], 'on') === 'on',
      clientsToml: read(env, 'CLIENTS_TOML'),
      initialAccessToken: bearerToken(env, 'INITIAL_ACCESS_TOKEN', 'is no registration of clients in production'),
    }
    return { ok: true, config: Object.freeze(config) }
  } catch (error) {
    if (error instanceof Wrong) return { ok: false, problem: error.problem }
    throw error
  }
}
