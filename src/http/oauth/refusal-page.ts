import type { AppContext } from '../context.ts'
import { errorPage } from '../pages/error.tsx'

/** What a person is told whom an app has sent here with something that cannot be done, and who can be sent nowhere. */
export const refusalPage = (c: AppContext, sentence: string, code = 'invalid_request'): Response | Promise<Response> =>
  errorPage(c, { status: 400, title: 'This did not work', sentence, code })
