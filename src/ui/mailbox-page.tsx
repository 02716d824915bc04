import type { StoredMail } from '../accounts/mail-store.ts'
import { Page } from './page.tsx'

/** Every mail that would have been sent, newest first. */
export function MailboxPage({ mails, nonce }: { mails: readonly StoredMail[]; nonce: string }) {
  return (
    <Page title="Mailbox" nonce={nonce}>
      <h1>Mailbox</h1>
      <p class="faint">
        Mails that would have been sent. Development only; the same as <a href="/dev/mailbox.json">JSON</a>.
      </p>
      {mails.length === 0 ? <p>Nothing yet.</p> : null}
      {mails.map((mail) => (
        <article>
          <h2>{mail.subject}</h2>
          <p class="faint">
            to {mail.to}, {new Date(mail.at * 1000).toISOString()}
          </p>
          <pre>{mail.text}</pre>
          {mail.links.map((link) => (
            <p>
              <a href={link}>{link}</a>
            </p>
          ))}
        </article>
      ))}
    </Page>
  )
}
