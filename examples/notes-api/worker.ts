// Notes of whoever the access token is for. Each route chooses what it needs: scopes, and how current the answer about a revocation must be.
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { type AuthVariables, authenticate, requireRecentSignIn, requireScope } from 'sallyport/hono'
import { createVerifier, type Freshness, type Verifier, type VerifierBinding } from 'sallyport/sdk'
import type { Notebook } from './notebook.ts'

export { Notebook } from './notebook.ts'

type Bindings = {
  ISSUER: string
  AUDIENCE: string
  ALLOWED_ORIGINS: string
  SALLYPORT: VerifierBinding
  NOTEBOOK: DurableObjectNamespace<Notebook>
}
type NotesEnv = { Bindings: Bindings; Variables: AuthVariables }

let verifier: Verifier | undefined

/** One for the life of the isolate: it holds the keys, the view of the revocation list and the tokens seen. */
function verifierOf({ ISSUER, AUDIENCE, SALLYPORT }: Bindings): Verifier {
  verifier ??= createVerifier({ issuer: ISSUER, audience: AUDIENCE, binding: SALLYPORT })
  return verifier
}

const signedIn = (freshness: Freshness) =>
  createMiddleware<NotesEnv>((c, next) => authenticate<NotesEnv>({ verifier: verifierOf(c.env), freshness })(c, next))

const notebook = (c: Context<NotesEnv>) => c.env.NOTEBOOK.getByName(c.var.auth.claims.sub)

const app = new Hono<NotesEnv>()

app.use((c, next) =>
  cors({
    origin: c.env.ALLOWED_ORIGINS.split(','),
    allowHeaders: ['Authorization', 'Content-Type'],
    // A page that can read the challenge knows that a new token will do.
    exposeHeaders: ['WWW-Authenticate', 'Retry-After'],
  })(c, next),
)

// Nothing here that a token revoked a minute ago must not see.
app.get('/whoami', signedIn('offline'), (c) => c.json({ sub: c.var.auth.claims.sub }))

// What most routes want: no request to Sallyport, and a revocation counts within seconds.
app.get('/notes', signedIn('fresh'), requireScope('notes:read'), async (c) => c.json({ notes: await notebook(c).list() }))

app.post('/notes', signedIn('fresh'), requireScope('notes:write'), async (c) => {
  const text = await c.req.text()
  if (text === '' || text.length > 1000) return c.json({ detail: 'a note has 1 to 1000 characters' }, 400)
  return c.json(await notebook(c).add(text), 201)
})

// Cannot be undone: Sallyport itself is asked, and the person must have signed in within five minutes.
app.delete('/notes', signedIn('live'), requireScope('notes:write'), requireRecentSignIn(300), async (c) => {
  await notebook(c).clear()
  return c.body(null, 204)
})

export default app
