/** `sallyport login`: the device flow (RFC 8628). The person allows it in any browser, on this machine or another. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CLI_CLIENT_ID } from '../protocol/claims.ts'
import { type Credentials, keepCredentials, lockPath, prepareDirectory, readCredentials } from './credentials.ts'
import { discover, type Issuer, postForm } from './issuer.ts'
import { withLock } from './lock.ts'
import { plain, Refusal } from './refusal.ts'
import { isDuration, nowSeconds, readTokenAnswer, type TokenAnswer } from './token-answer.ts'

/** Without these there is neither a `whoami` nor a fresh token. */
const ALWAYS = ['openid', 'offline_access']
const DEFAULT_SCOPE = 'profile email'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

export type LoginOptions = { issuer: string; scope?: string | undefined; resource?: string | undefined }

type Begun = { device_code: string; user_code: string; verification_uri: string; complete: string | null; until: number; interval: number }

export async function login({ issuer, scope = DEFAULT_SCOPE, resource = issuer }: LoginOptions): Promise<void> {
  const endpoints = await discover(issuer)
  const scopes = [...new Set([...ALWAYS, ...scope.split(' ').filter(Boolean)])].join(' ')
  const begun = await begin(endpoints, scopes, [...new Set([issuer, resource])])
  process.stderr.write(`Open ${begun.complete ?? begun.verification_uri}\nand compare the code: ${begun.user_code}\n`)
  const { held, refresh_token, scope: granted } = await poll(endpoints, begun, resource)
  if (refresh_token === null) throw new Refusal(`${issuer} gave no refresh token.`)
  const credentials = { refresh_token, scope: granted, resource, tokens: { [resource]: held } }
  const before = await replaceCredentials(issuer, credentials).catch(async (error: unknown) => {
    // Nobody holds it, so nobody could end it.
    await endLogin(endpoints, credentials, 'This login')
    if (error instanceof Refusal) throw error
    throw new Refusal(`This login could not be kept: ${plain(error instanceof Error ? error.message : String(error))}.`)
  })
  process.stderr.write(`Signed in to ${issuer}.\n`)
  if (before) await endLogin(endpoints, before, 'The login before this one')
}

/** Answers what was there before: nothing else on this machine holds it any more. */
async function replaceCredentials(issuer: string, credentials: Credentials): Promise<Credentials | undefined> {
  await prepareDirectory()
  return withLock(lockPath(), async () => {
    const { issuers } = await readCredentials()
    await keepCredentials(issuer, credentials)
    return Object.hasOwn(issuers, issuer) ? issuers[issuer] : undefined
  })
}

/** RFC 7009. One that could not be ended is said, and changes nothing else. */
async function endLogin({ issuer, revocation_endpoint }: Issuer, { refresh_token }: Credentials, which: string): Promise<void> {
  const answer = await postForm(revocation_endpoint, { client_id: CLI_CLIENT_ID, token: refresh_token })
  if (answer.status === 200) return
  process.stderr.write(`${which} lives on until it runs out: ${issuer} could not end it (${answer.reason}).\n`)
}

async function begin({ issuer, device_authorization_endpoint }: Issuer, scope: string, resources: string[]): Promise<Begun> {
  const answer = await postForm(device_authorization_endpoint, { client_id: CLI_CLIENT_ID, scope, resource: resources })
  const { device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval = 5 } = answer.body
  if (answer.status !== 200) throw new Refusal(`${issuer} refuses: ${answer.reason}.`)
  if (
    typeof device_code !== 'string' ||
    typeof user_code !== 'string' ||
    !/^[A-Z0-9-]{4,32}$/i.test(user_code) ||
    !isDuration(expires_in) ||
    !isDuration(interval) ||
    !isPageOf(issuer, verification_uri)
  ) {
    throw new Refusal(`${issuer} answers the device flow otherwise than RFC 8628 says.`)
  }
  const complete = isPageOf(issuer, verification_uri_complete) ? new URL(verification_uri_complete).href : null
  return {
    ...{ device_code, user_code, complete, interval },
    verification_uri: new URL(verification_uri).href,
    until: nowSeconds() + expires_in,
  }
}

const isPageOf = (issuer: string, address: unknown): address is string =>
  typeof address === 'string' && URL.canParse(address) && new URL(address).origin === issuer

/** RFC 8628, 3.5: at the pace that it asks for; what could not be reached is asked again. */
async function poll({ issuer, token_endpoint }: Issuer, { device_code, until, interval }: Begun, resource: string): Promise<TokenAnswer> {
  const fields = { grant_type: DEVICE_GRANT, client_id: CLI_CLIENT_ID, device_code, resource }
  for (let seconds = Math.max(1, interval); nowSeconds() < until; ) {
    await sleep(seconds * 1000)
    const answer = await postForm(token_endpoint, fields)
    const read = readTokenAnswer(answer, nowSeconds())
    if (read) return read
    const { error } = answer.body
    if (error === 'slow_down' || answer.status === 0) seconds += 5
    else if (error === 'access_denied') throw new Refusal('It was not allowed.')
    else if (error === 'expired_token') break
    else if (error !== 'authorization_pending' && answer.status < 500) throw new Refusal(`${issuer} refuses: ${answer.reason}.`)
  }
  throw new Refusal('Nobody allowed it in time: begin again.')
}
