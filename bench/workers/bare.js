// The bare route: what any Worker on Hono costs before it does anything. GET answers what the demonstration routes answer; POST reads a
// JSON body and answers JSON of the size that a refresh answers.
import { Hono } from 'hono'

const WHO = { sub: '0123456789012345678901', sid: '0123456789012345678901' }
const TOKENS = {
  access_token: 'x'.repeat(560),
  token_type: 'Bearer',
  expires_in: 300,
  scope: 'account',
  refresh_token: 'x'.repeat(99),
  sid: WHO.sid,
}

const app = new Hono()
app.get('/bare', (c) => c.json(WHO))
app.post('/bare', async (c) => {
  await c.req.json()
  return c.json(TOKENS)
})

export default app
