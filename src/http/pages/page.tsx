import type { JSX } from 'hono/jsx/jsx-runtime'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { AppContext } from '../context.ts'

export type PageOptions = {
  /** Default 200. */
  status?: ContentfulStatusCode
  headers?: Readonly<Record<string, string>>
  /** Where else than here its forms may lead: sources of a content policy, `formActionFor(redirect_uri)`. */
  formAction?: readonly string[]
  /** It holds one script, with the nonce. */
  script?: boolean
  /** Default `same-origin`. */
  referrer?: 'same-origin' | 'strict-origin'
}

/**
 * A page with a policy that lets in nothing but its own style, and no frame around it. The referrer policy is not `no-referrer`: with that
 * browsers send `Origin: null` along with a form, which is refused as foreign.
 */
export function page(c: AppContext, options: PageOptions, render: (nonce: string) => JSX.Element) {
  const { status = 200, headers = {}, formAction = [], script = false, referrer = 'same-origin' } = options
  const nonce = crypto.randomUUID()
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    ...(script ? [`script-src 'nonce-${nonce}'`] : []),
    'img-src data:',
    "base-uri 'none'",
    `form-action ${["'self'", ...formAction].join(' ')}`,
    "frame-ancestors 'none'",
  ]
  c.header('Content-Security-Policy', policy.join('; '))
  c.header('Referrer-Policy', referrer)
  c.header('Cache-Control', 'no-store')
  return c.html(`<!doctype html>${render(nonce)}`, status, { ...headers })
}
