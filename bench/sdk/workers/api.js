// An API as its authors would write it: Hono, `sallyport/hono`, and a service binding to Sallyport. Answers what the bare route answers.
import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import { withAccounts } from '../../../src/sdk/accounts.ts'
import { authenticate, authenticated } from '../../../src/sdk/hono.ts'
import { createVerifier } from '../../../src/sdk/index.ts'

const options = { issuer: env.ISSUER, audience: env.ISSUER, binding: env.SALLYPORT }
const verifier = createVerifier(options)
const direct = createVerifier({ ...options, binding: withAccounts(env.SALLYPORT, env.SALLYPORT_ACCOUNTS) })
// Takes tokens of the bench's own key: so many different ones no issuer makes in the time. All else is the same.
const strangers = createVerifier({ ...options, jwks: env.JWKS })

const who = (c) => {
  const { sub, sid } = c.get('auth').claims
  return c.json({ sub, sid })
}

const app = new Hono()
app.get('/offline', authenticate({ verifier, freshness: 'offline' }), who)
app.get('/fresh', authenticate({ verifier }), who)
app.get('/fresh/one', authenticated({ verifier }, who))
app.get('/live', authenticate({ verifier, freshness: 'live' }), who)
app.get('/live-direct', authenticate({ verifier: direct, freshness: 'live' }), who)
app.get('/first-sight', authenticate({ verifier: strangers }), who)
app.get('/first-sight/one', authenticated({ verifier: strangers }, who))

export default app
