import { isLoopback } from '../../config.ts'
import { MailboxPage } from '../../ui/mailbox-page.tsx'
import type { AppContext } from '../context.ts'
import { operation } from '../operation.ts'
import { ApiError } from '../problem.ts'
import { page } from './page.tsx'

/** On this machine's own name only: a page of a stranger whose name is made to point here (DNS rebinding) must not read the mails. */
function requireDevelopment(c: AppContext): void {
  if (!c.get('services').config.development || !isLoopback(new URL(c.req.url).hostname)) throw new ApiError('not_found')
}

const mails = (c: AppContext) => c.get('objects').mailbox('list', (stub) => stub.list())

export const mailbox = operation({
  summary: 'Development only: every mail that would have been sent.',
  access: 'open',
  answers: { 200: { description: 'HTML.' } },
  problems: ['not_found'],
  async handle(c) {
    requireDevelopment(c)
    const stored = await mails(c)
    return page(c, {}, (nonce) => <MailboxPage mails={stored} nonce={nonce} />)
  },
})

export const mailboxJson = operation({
  summary: 'Development only: the mailbox as JSON, newest first.',
  access: 'open',
  answers: { 200: { description: '[{"to", "subject", "text", "links", "at"}]' } },
  problems: ['not_found'],
  async handle(c) {
    requireDevelopment(c)
    return c.json(await mails(c))
  },
})
