import { CLI_CLIENT_ID } from '../protocol/claims.ts'
import { type Credentials, keepCredentials, lockPath, prepareDirectory, readCredentials } from './credentials.ts'
import { discover, postForm } from './issuer.ts'
import { withLock } from './lock.ts'
import { Refusal } from './refusal.ts'
import { nowSeconds, readTokenAnswer } from './token-answer.ts'

/** Seconds that a token must still be good for: whoever is given it has to use it first. */
const LEAST_SECONDS = 60

export const signedOut = (issuer: string): Refusal => new Refusal(`Nobody is signed in to ${issuer}: sallyport login --issuer ${issuer}`)

export async function credentialsOf(issuer: string): Promise<Credentials> {
  const { issuers } = await readCredentials()
  const credentials = Object.hasOwn(issuers, issuer) ? issuers[issuer] : undefined
  if (!credentials) throw signedOut(issuer)
  return credentials
}

const heldFor = ({ tokens }: Credentials, audience: string): string | null => {
  const held = Object.hasOwn(tokens, audience) ? tokens[audience] : undefined
  return held && held.expires_at - nowSeconds() >= LEAST_SECONDS ? held.access_token : null
}

/**
 * An access token that is good for a minute at least. One process at a time asks for the next: the others wait, and take what it has got.
 * `another`: not this one, which was refused.
 */
export async function freshToken(issuer: string, audience: string, another?: string): Promise<string> {
  const usable = (credentials: Credentials): string | null => {
    const token = heldFor(credentials, audience)
    return token === another ? null : token
  }
  const before = usable(await credentialsOf(issuer))
  if (before !== null) return before
  await prepareDirectory()
  return withLock(lockPath(), async () => {
    const credentials = await credentialsOf(issuer)
    return usable(credentials) ?? (await refreshed(issuer, credentials, audience))
  })
}

async function refreshed(issuer: string, credentials: Credentials, audience: string): Promise<string> {
  const { token_endpoint } = await discover(issuer)
  const { refresh_token } = credentials
  const fields = { grant_type: 'refresh_token', client_id: CLI_CLIENT_ID, refresh_token, resource: audience }
  const answer = await postForm(token_endpoint, fields)
  const read = readTokenAnswer(answer, nowSeconds())
  if (!read) {
    if (answer.body.error !== 'invalid_grant') throw new Refusal(`${issuer} gives no token: ${answer.reason}.`)
    await keepCredentials(issuer, null)
    throw signedOut(issuer)
  }
  const tokens = { ...credentials.tokens, [audience]: read.held }
  await keepCredentials(issuer, { ...credentials, refresh_token: read.refresh_token ?? refresh_token, tokens })
  return read.held.access_token
}
