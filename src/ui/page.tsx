import type { Child } from 'hono/jsx'
import { STYLE } from './style.ts'

/** Said with the page, so that no browser asks for `/favicon.ico`. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%230b57d0' d='M3 15V7a5 5 0 0 1 10 0v8H9v-4H7v4z'/%3E%3C/svg%3E"

/**
 * The frame of a page: no script, and the one style carries the nonce that the page's policy names. `title` is ours alone: what a client
 * chose stands in the page, where it can be set apart. `card`: for one thing to do, narrow.
 */
export function Page({ title, nonce, card = false, children }: { title: string; nonce: string; card?: boolean; children?: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${title} · Sallyport`}</title>
        <link rel="icon" href={ICON} />
        <style nonce={nonce} dangerouslySetInnerHTML={{ __html: STYLE }} />
      </head>
      <body>
        <main class={card ? 'card' : undefined}>
          {card ? <p class="brand">Sallyport</p> : null}
          {children}
        </main>
      </body>
    </html>
  )
}
