import { freshToken } from './fresh-token.ts'
import { discover, getWith } from './issuer.ts'
import { Refusal } from './refusal.ts'

/** `sallyport whoami`: what the issuer says of the person (OpenID Connect Core, 5.3), as JSON. */
export async function whoami(issuer: string): Promise<void> {
  const { userinfo_endpoint } = await discover(issuer)
  const token = await freshToken(issuer, issuer)
  let answer = await getWith(userinfo_endpoint, token)
  // Revoked, or outdated because the account has changed: the next refresh decides.
  if (answer.status === 401) answer = await getWith(userinfo_endpoint, await freshToken(issuer, issuer, token))
  if (answer.status !== 200) throw new Refusal(`${issuer} does not say: ${answer.reason}.`)
  const text = JSON.stringify(answer.body, null, 2)
  // A name may hold what steers a terminal, or turns the direction of a line; JSON itself escapes only some of it.
  process.stdout.write(
    `${text.replace(/[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`,
  )
}
