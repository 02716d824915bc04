import { Page } from './page.tsx'

export type ErrorPageProps = {
  /** A few words, ours. */
  title: string
  /** One sentence for the person. */
  sentence: string
  /** For the developer: the registered error or our own code, what is wrong, and what finds the log lines. */
  code: string
  detail?: string | undefined
  requestId: string
  nonce: string
}

/** A refusal that has nowhere to go back to: it never redirects, and links nowhere that a request chose. */
export function ErrorPage({ title, sentence, code, detail, requestId, nonce }: ErrorPageProps) {
  return (
    <Page title={title} nonce={nonce} card>
      <h1>{title}</h1>
      <p>{sentence}</p>
      <p class="faint">
        Error <code>{code}</code>
        {detail === undefined ? null : `: ${detail}`}
        <br />
        Request <code>{requestId}</code>
      </p>
    </Page>
  )
}
