import { ErrorPage } from '../../ui/error-page.tsx'
import type { AppContext } from '../context.ts'
import { type ApiError, PROBLEMS, type ProblemCode, TITLES } from '../problem.ts'
import { type PageOptions, page } from './page.tsx'

export type ErrorPageContent = { status: 400 | 401 | 403 | 404 | 500 | 503; title: string; sentence: string; code: string; detail?: string }

/** An error for the person in front of the browser, for whom a redirect would be wrong: an unknown client, a redirect that is not its own. */
export function errorPage(c: AppContext, { status, ...content }: ErrorPageContent): Response | Promise<Response> {
  return page(c, { status }, (nonce) => <ErrorPage {...content} requestId={c.get('requestId')} nonce={nonce} />)
}

const TITLE: Partial<Record<ProblemCode, string>> = {
  cross_origin: 'This did not come from our page',
  too_many_attempts: 'Too many tries',
  overloaded: 'Too busy',
  unavailable: 'Not there just now',
  misconfigured: 'Not set up yet',
  internal_error: 'Something went wrong',
}

/** What a page cannot show itself: the same status, code and headers as the problem of `/api`, in words for a person. */
export function problemPage(c: AppContext, code: ProblemCode, error: Partial<ApiError> = {}): Response | Promise<Response> {
  const [status, fallback] = PROBLEMS[code]
  const options: PageOptions = { status, headers: error.headers ?? {} }
  const sentence = code === 'cross_origin' ? 'Open the page again and repeat what you did.' : (error.detail ?? fallback)
  const title = TITLE[code] ?? TITLES[status] ?? 'Error'
  return page(c, options, (nonce) => (
    <ErrorPage title={title} sentence={sentence} code={code} requestId={c.get('requestId')} nonce={nonce} />
  ))
}
