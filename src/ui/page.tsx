import type { Child } from 'hono/jsx'

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 46rem; padding: 2rem 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 0; }
a { color: light-dark(#0b57d0, #a8c7fa); }
article { border: 1px solid light-dark(#d0d4da, #3c4043); border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .75rem 0 0; font: .9rem/1.5 ui-monospace, monospace; }
.faint { color: light-dark(#5f6368, #9aa0a6); font-size: .9rem; margin: 0; overflow-wrap: anywhere; }
`

/** The frame of a page: no script, and the one style carries the nonce that the page's policy names. */
export function Page({ title, nonce, children }: { title: string; nonce: string; children?: Child }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{`${title} · Sallyport`}</title>
        <style nonce={nonce} dangerouslySetInnerHTML={{ __html: STYLE }} />
      </head>
      <body>
        <main>
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  )
}
