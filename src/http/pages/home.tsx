import { HomePage } from '../../ui/home-page.tsx'
import { operation } from '../operation.ts'
import { ownSession } from './own-session.ts'
import { page } from './page.tsx'

export const home = operation({
  summary: 'A page that says what runs here, and who is signed in.',
  access: 'open',
  page: true,
  answers: { 200: { description: 'HTML.' } },
  problems: [],
  async handle(c) {
    const own = await ownSession(c)
    const { development } = c.get('services').config
    return page(c, {}, (nonce) => <HomePage development={development} email={own?.person.email ?? null} nonce={nonce} />)
  },
})
