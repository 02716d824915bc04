import { ClientError, type FieldError } from './client-error.ts'

/** Milliseconds: a tab that waits for an answer may hold the lock that others wait for. */
const ANSWER_TIMEOUT = 10_000

/** A call to the service with the session cookie. Answers status and JSON (null for none); throws `ClientError` for anything but 2xx. */
export type CallApi = (method: 'GET' | 'POST', path: string, body?: object) => Promise<{ status: number; json: unknown }>

/** `baseUrl` is the service's origin. */
export function createApi(baseUrl: string, fetch: typeof globalThis.fetch): CallApi {
  return async function callApi(method, path, body) {
    const response = await send(fetch, new URL(path, baseUrl), {
      method,
      // A page of another origin of the same site has the cookie too, if ALLOWED_ORIGINS names it.
      credentials: 'include',
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
      ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const json = await readJson(response)
    if (!response.ok) throw problemOf(response, json)
    return { status: response.status, json }
  }
}

async function send(fetch: typeof globalThis.fetch, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    throw new ClientError('network_error', 'The service cannot be reached.', { cause })
  }
}

/** Null for what is not JSON: a body that breaks off, a proxy's page. */
async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return null
  }
}

function problemOf(response: Response, json: unknown): ClientError {
  const { status, headers } = response
  const problem: { code?: unknown; detail?: unknown; errors?: unknown } = typeof json === 'object' && json !== null ? json : {}
  if (typeof problem.code !== 'string') return new ClientError('unexpected_response', `The service answered ${status}.`, { status })
  const detail = typeof problem.detail === 'string' ? problem.detail : `The service answered ${status}.`
  const seconds = Number(headers.get('Retry-After') ?? Number.NaN)
  const errors = Array.isArray(problem.errors) ? problem.errors.filter(isFieldError) : []
  return new ClientError(problem.code, detail, { status, retryAfter: Number.isFinite(seconds) ? seconds : undefined, errors })
}

function isFieldError(value: unknown): value is FieldError {
  if (typeof value !== 'object' || value === null) return false
  const { pointer, detail }: { pointer?: unknown; detail?: unknown } = value
  return typeof pointer === 'string' && typeof detail === 'string'
}
