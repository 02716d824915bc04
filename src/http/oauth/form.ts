import { decodeUtf8, readBytes } from '../body.ts'
import type { AppContext } from '../context.ts'
import { ApiError } from '../problem.ts'
import { OAuthError } from './oauth-error.ts'

/** The parameters of an OAuth request: unknown ones are there too, and ignored by whoever reads. Empty means absent (RFC 6749, 3.1). */
export type Parameters = ReadonlyMap<string, string>

/** `resource` may be repeated (RFC 8707, 2); its values are joined by a space, which no URI holds. Nothing else may. */
const REPEATABLE = new Set(['resource'])

/** What was asked, each parameter once (RFC 6749, 3.1 and 3.2). `repeated` names the first that came twice. */
export function readParameters(search: URLSearchParams): { parameters: Parameters; repeated: string | null } {
  const parameters = new Map<string, string>()
  let repeated: string | null = null
  for (const [name, value] of search) {
    if (value === '') continue
    const before = parameters.get(name)
    if (before !== undefined && !REPEATABLE.has(name)) repeated ??= name
    parameters.set(name, before === undefined ? value : `${before} ${value}`)
  }
  return { parameters, repeated }
}

const isForm = (contentType: string) => /^application\/x-www-form-urlencoded\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType)

/** The body of a form, as text that was UTF-8; refuses by `refuse`. */
async function readText(request: Request, refuse: (description: string) => Error): Promise<string> {
  if (!isForm(request.headers.get('Content-Type') ?? '')) throw refuse('The body must be application/x-www-form-urlencoded.')
  const bytes = await readBytes(request).catch((cause) => {
    throw cause instanceof ApiError
      ? refuse(cause.code === 'body_too_large' ? 'The body is larger than 16 KiB.' : 'The body broke off.')
      : cause
  })
  try {
    return decodeUtf8(bytes)
  } catch {
    throw refuse('The body is not UTF-8.')
  }
}

/** The form of an OAuth request that is answered in JSON (token, revoke, introspect, PAR, device authorization). */
export async function readForm(c: AppContext): Promise<Parameters> {
  const refuse = (description: string) => new OAuthError('invalid_request', description)
  const { parameters, repeated } = readParameters(new URLSearchParams(await readText(c.req.raw, refuse)))
  if (repeated !== null) throw refuse(`${/^[\w.-]{1,64}$/.test(repeated) ? repeated : 'A parameter'} is repeated.`)
  return parameters
}

/** The form of a page, as it was sent; what is wrong with it is an ApiError. */
export async function readPageSearch(c: AppContext): Promise<URLSearchParams> {
  return new URLSearchParams(await readText(c.req.raw, (detail) => new ApiError('invalid_request', { detail })))
}

/** The fields of a page's form. */
export async function readPageForm(c: AppContext): Promise<Parameters> {
  return readParameters(await readPageSearch(c)).parameters
}
