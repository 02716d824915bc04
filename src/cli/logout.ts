import { CLI_CLIENT_ID } from '../protocol/claims.ts'
import { credentialsPath, keepCredentials, lockPath, prepareDirectory } from './credentials.ts'
import { credentialsOf } from './fresh-token.ts'
import { discover, postForm } from './issuer.ts'
import { withLock } from './lock.ts'
import { Refusal } from './refusal.ts'

/** `sallyport logout`: what was given is ended at the issuer (RFC 7009) before it is forgotten here, so that it can be tried again. */
export async function logout(issuer: string): Promise<void> {
  await prepareDirectory()
  await withLock(lockPath(), async () => {
    const { refresh_token } = await credentialsOf(issuer)
    const { revocation_endpoint } = await discover(issuer).catch((error: unknown) => {
      throw error instanceof Refusal ? new Refusal(`${error.message} Try again, or delete ${credentialsPath()}.`) : error
    })
    const answer = await postForm(revocation_endpoint, { client_id: CLI_CLIENT_ID, token: refresh_token })
    if (answer.status !== 200) {
      throw new Refusal(`${issuer} could not end it: ${answer.reason}. Try again, or delete ${credentialsPath()}.`)
    }
    await keepCredentials(issuer, null)
  })
  process.stderr.write(`Signed out of ${issuer}.\n`)
}
