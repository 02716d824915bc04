// passport-openidconnect (https://github.com/jaredhanson/passport-openidconnect) on Express, as its README says. It knows no PKCE and sends
// its secret in the form: the client registers for both by name.
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import OpenIDConnectStrategy, { type Profile, type VerifyCallback } from 'passport-openidconnect'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { register } from '../support/node/oauth.ts'
import { app, browser, PASSWORD, requireStatus, type Session } from '../support/node/person.ts'
import { type Server, startServer } from '../support/node/server.ts'
import { type App, serveApp } from './app-server.ts'
import { createVisitor } from './visitor.ts'

const EMAIL = 'eve@example.com'

let server: Server
let site: App
let eve: Session
beforeAll(async () => {
  server = await startServer()
  const setup = browser(server.origin)
  eve = requireStatus(await setup.post<Session>('/api/sign-up', { email: EMAIL, password: PASSWORD, name: 'Eve Example' }), 201).json
  setup.close()
  site = await serveApp(registerSite)
})
afterAll(async () => {
  await site.close()
  await server.stop()
})

async function registerSite(origin: string): Promise<express.Express> {
  const http = app(server.origin)
  const client = await register(http, {
    redirect_uris: [`${origin}/cb`, `${origin}/cb/userinfo`],
    token_endpoint_auth_method: 'client_secret_post',
    legacy_oidc: true,
  })
  const { json: found } = await http.get<Record<string, string>>('/.well-known/openid-configuration')
  http.close()
  return makeSite(origin, {
    issuer: server.origin,
    authorizationURL: found.authorization_endpoint ?? '',
    tokenURL: found.token_endpoint ?? '',
    userInfoURL: found.userinfo_endpoint ?? '',
    clientID: client.client_id,
    clientSecret: client.client_secret ?? '',
    scope: ['profile', 'email'],
  })
}

type Options = Omit<ConstructorParameters<typeof OpenIDConnectStrategy>[0], 'callbackURL'>

function makeSite(origin: string, options: Options): express.Express {
  const people = new passport.Passport()
  const verify = (issuer: string, profile: Profile, done: VerifyCallback) => done(null, { issuer, profile })
  // What the README has: the ID token says who they are.
  people.use(new OpenIDConnectStrategy({ ...options, callbackURL: `${origin}/cb` }, verify))
  // With userinfo and a nonce besides.
  const more = { nonce: 'yes', maxAge: '3600', skipUserProfile: false, callbackURL: `${origin}/cb/userinfo` }
  people.use('with-userinfo', new OpenIDConnectStrategy({ ...options, ...more }, verify))
  people.serializeUser((user, done) => done(null, user))
  people.deserializeUser((user: Express.User, done) => done(null, user))
  const site = express()
  site.use(session({ secret: 'a-secret-of-the-site', resave: false, saveUninitialized: false }))
  site.use(people.initialize())
  site.use(people.session())
  site.get('/login', people.authenticate('openidconnect'))
  site.get('/cb', people.authenticate('openidconnect', { failureRedirect: '/failed', successRedirect: '/' }))
  site.get('/login/userinfo', people.authenticate('with-userinfo'))
  site.get('/cb/userinfo', people.authenticate('with-userinfo', { failureRedirect: '/failed', successRedirect: '/' }))
  site.get('/', (request, response) => {
    response.json(request.user ?? null)
  })
  return site
}

test.each(['/login', '/login/userinfo'])('Passport signs a person in by %s, and learns their name and address', async (login) => {
  const person = createVisitor(server.origin, { email: EMAIL, password: PASSWORD }, [site.origin])
  const { url, reply } = await person.visit(`${site.origin}${login}`)
  person.close()
  expect(url.href).toBe(`${site.origin}/`)
  expect(JSON.parse(reply?.text ?? '')).toMatchObject({
    issuer: server.origin,
    profile: { id: eve.sub, displayName: 'Eve Example', emails: [{ value: EMAIL }] },
  })
})
