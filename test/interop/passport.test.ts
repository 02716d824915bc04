// passport-openidconnect (https://github.com/jaredhanson/passport-openidconnect) on Express, as its README says. It knows no PKCE and sends
// its secret in the form: the client registers for both by name.
import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import OpenIDConnectStrategy, { type Profile, type VerifyCallback } from 'passport-openidconnect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { register } from '../support/node/oauth.ts'
import { browser, PASSWORD, requireStatus, type Session } from '../support/node/person.ts'
import { freePorts, type Server, startServer } from '../support/node/server.ts'
import { closed } from './app-server.ts'
import { createVisitor } from './visitor.ts'

const EMAIL = 'eve@example.com'

let server: Server
let site: HttpServer
let origin: string
let eve: Session
beforeAll(async () => {
  server = await startServer()
  const setup = browser(server.origin)
  eve = requireStatus(await setup.post<Session>('/api/sign-up', { email: EMAIL, password: PASSWORD, name: 'Eve Example' }), 201).json
  const [port = 0] = await freePorts(1)
  origin = `http://localhost:${port}`
  const client = await register(setup, {
    redirect_uris: [`${origin}/cb`, `${origin}/cb/userinfo`],
    token_endpoint_auth_method: 'client_secret_post',
    legacy_oidc: true,
  })
  const { json: found } = await setup.get<Record<string, string>>('/.well-known/openid-configuration')
  setup.close()
  const options = {
    issuer: server.origin,
    authorizationURL: found.authorization_endpoint ?? '',
    tokenURL: found.token_endpoint ?? '',
    userInfoURL: found.userinfo_endpoint ?? '',
    clientID: client.client_id,
    clientSecret: client.client_secret ?? '',
    scope: ['profile', 'email'],
  }
  site = makeSite(options).listen(port, '127.0.0.1')
  await once(site, 'listening')
})
afterAll(async () => {
  await closed(site)
  await server.stop()
})

type Options = Omit<ConstructorParameters<typeof OpenIDConnectStrategy>[0], 'callbackURL'>

function makeSite(options: Options): express.Express {
  const people = new passport.Passport()
  const verify = (issuer: string, profile: Profile, done: VerifyCallback) => done(null, { issuer, profile })
  // What the README has: the ID token says who they are.
  people.use(new OpenIDConnectStrategy({ ...options, callbackURL: `${origin}/cb` }, verify))
  // With userinfo and a nonce besides.
  const more = { nonce: 'yes', maxAge: '3600', skipUserProfile: false, callbackURL: `${origin}/cb/userinfo` }
  people.use('with-userinfo', new OpenIDConnectStrategy({ ...options, ...more }, verify))
  people.serializeUser((user, done) => done(null, user))
  people.deserializeUser((user: Express.User, done) => done(null, user))
  const app = express()
  app.use(session({ secret: 'a-secret-of-the-site', resave: false, saveUninitialized: false }))
  app.use(people.initialize())
  app.use(people.session())
  app.get('/login', people.authenticate('openidconnect'))
  app.get('/cb', people.authenticate('openidconnect', { failureRedirect: '/failed', successRedirect: '/' }))
  app.get('/login/userinfo', people.authenticate('with-userinfo'))
  app.get('/cb/userinfo', people.authenticate('with-userinfo', { failureRedirect: '/failed', successRedirect: '/' }))
  app.get('/', (request, response) => {
    response.json(request.user ?? null)
  })
  return app
}

test.each(['/login', '/login/userinfo'])('Passport signs a person in by %s, and learns their name and address', async (login) => {
  const person = createVisitor(server.origin, { email: EMAIL, password: PASSWORD }, [origin])
  const { url, reply } = await person.visit(`${origin}${login}`)
  person.close()
  expect(url.href).toBe(`${origin}/`)
  expect(JSON.parse(reply?.text ?? '')).toMatchObject({
    issuer: server.origin,
    profile: { id: eve.sub, displayName: 'Eve Example', emails: [{ value: EMAIL }] },
  })
})
