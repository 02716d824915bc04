import { ClientError } from './client-error.ts'
import type { TokenSource } from './token-source.ts'

/**
 * `fetch` with the access token. Refuses (`ClientError`, `origin_not_allowed`) to carry it to an origin that is not in `origins`. A 401
 * that says `outdated` or `expired` is answered by one renewal and one repetition, whose answer stands.
 */
export function createBearerFetch(source: TokenSource, origins: ReadonlySet<string>, fetch: typeof globalThis.fetch) {
  return async function bearerFetch(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const request = new Request(input, {
      ...init,
      // The token alone says who asks: what a cookie authorises can be forged by other sites.
      credentials: init.credentials ?? 'omit',
      // A redirect could take the token elsewhere; not every browser takes it off.
      redirect: init.redirect ?? 'error',
    })
    const { origin } = new URL(request.url)
    if (!origins.has(origin)) {
      throw new ClientError('origin_not_allowed', `The token is not for ${origin}: allowedOrigins names where it may go.`)
    }
    const again = request.clone()
    const token = await source.get()
    const response = await fetch(withToken(request, token.accessToken))
    const refusal = await refusalOf(response)
    if (refusal === 'revoked') source.drop(token)
    if (refusal !== 'renew') return response
    const renewed = await source.get(token).catch(() => null)
    return renewed === null ? response : fetch(withToken(again, renewed.accessToken))
  }
}

function withToken(request: Request, accessToken: string): Request {
  const headers = new Headers(request.headers)
  headers.set('Authorization', `Bearer ${accessToken}`)
  return new Request(request, { headers })
}

/** `renew`: a new token may be accepted (the account has changed, or the clocks differ). `revoked`: this token is dead. */
async function refusalOf(response: Response): Promise<'renew' | 'revoked' | null> {
  if (response.status !== 401) return null
  const challenge = response.headers.get('WWW-Authenticate')
  const description = challenge === null ? await problemCode(response) : challenge
  if (/error_description="(?:outdated|expired)"|^token_(?:outdated|expired)$/.test(description)) return 'renew'
  return /error_description="revoked"|^token_revoked$/.test(description) ? 'revoked' : null
}

/** An API of another origin may not expose its challenge (Access-Control-Expose-Headers); its problem document says the same. */
async function problemCode(response: Response): Promise<string> {
  const problem: unknown = await response
    .clone()
    .json()
    .catch(() => null)
  return typeof problem === 'object' && problem !== null && 'code' in problem ? String(problem.code) : ''
}
