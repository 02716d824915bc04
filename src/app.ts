/** The URL map, the middleware, and the only place where an error becomes a response. */
import { Hono } from 'hono'
import * as admin from './http/admin.ts'
import type { AppContext, AppEnv } from './http/context.ts'
import * as demo from './http/demo.ts'
import { cors, secureHeaders } from './http/headers.ts'
import { log } from './http/log.ts'
import { authorize, authorizeByPost, decideConsent } from './http/oauth/authorize.ts'
import { device, deviceAuthorization, deviceByPost } from './http/oauth/device.ts'
import { findClient } from './http/oauth/find-client.ts'
import { introspect } from './http/oauth/introspect.ts'
import { logout, logoutByPost } from './http/oauth/logout.ts'
import { OAuthError } from './http/oauth/oauth-error.ts'
import { publicCors } from './http/oauth/public-cors.ts'
import { par } from './http/oauth/pushed-request.ts'
import * as registration from './http/oauth/register.ts'
import { revoke } from './http/oauth/revoke.ts'
import { token } from './http/oauth/token.ts'
import { userinfo } from './http/oauth/userinfo.ts'
import { type MountedOperation, openApiDocument } from './http/openapi.ts'
import { type Operation, operation } from './http/operation.ts'
import { problemPage } from './http/pages/error.tsx'
import { home } from './http/pages/home.tsx'
import { mailbox, mailboxJson } from './http/pages/mailbox.tsx'
import { signInPages } from './http/pages/sign-in.tsx'
import { signOutForm, signOutSubmit } from './http/pages/sign-out.tsx'
import { signUpPages } from './http/pages/sign-up.tsx'
import { changedPassword } from './http/password.ts'
import { ApiError, PROBLEMS, type ProblemCode, problemResponse, tokenProblemResponse } from './http/problem.ts'
import { RememberingRouter } from './http/router.ts'
import { openServices } from './http/services.ts'
import * as sessions from './http/sessions.ts'
import { signIn } from './http/sign-in.ts'
import { signUp } from './http/sign-up.ts'
import * as tokens from './http/tokens.ts'
import * as wellKnown from './http/well-known.ts'
import { SecretRingError } from './keys/signer.ts'
import { ObjectUnavailable } from './objects/call.ts'
import { MAX_BEARER_LENGTH } from './protocol/bearer.ts'
import { TokenError } from './sdk/index.ts'

const on = (method: MountedOperation['method'], path: string, operation: Operation): MountedOperation => ({ method, path, operation })

const openapi = operation({
  summary: 'This description.',
  access: 'open',
  answers: { 200: { description: 'OpenAPI 3.1.' } },
  problems: [],
  handle: (c) => c.json(openApiDocument(c.get('services').config.issuer, URL_MAP)),
})

const signInPage = signInPages(findClient)
const signUpPage = signUpPages(findClient)

export const URL_MAP: readonly MountedOperation[] = [
  on('GET', '/', home),
  on('GET', '/health', wellKnown.health),
  on('GET', '/.well-known/openid-configuration', wellKnown.discovery),
  on('GET', '/.well-known/oauth-authorization-server', wellKnown.discovery),
  on('GET', '/.well-known/oauth-protected-resource', wellKnown.protectedResource),
  on('GET', '/.well-known/jwks.json', wellKnown.jwks),
  on('GET', '/revocations', wellKnown.revocations),

  on('GET', '/oauth/authorize', authorize),
  on('POST', '/oauth/authorize', authorizeByPost),
  on('POST', '/consent', decideConsent),
  on('POST', '/oauth/token', token),
  on('POST', '/oauth/par', par),
  on('POST', '/oauth/device_authorization', deviceAuthorization),
  on('GET', '/device', device),
  on('POST', '/device', deviceByPost),
  on('POST', '/oauth/introspect', introspect),
  on('POST', '/oauth/revoke', revoke),
  on('GET', '/oauth/logout', logout),
  on('POST', '/oauth/logout', logoutByPost),
  on('GET', '/oauth/userinfo', userinfo),
  on('POST', '/oauth/userinfo', userinfo),
  on('GET', '/sign-in', signInPage.form),
  on('POST', '/sign-in', signInPage.submit),
  on('GET', '/sign-up', signUpPage.form),
  on('POST', '/sign-up', signUpPage.submit),
  on('GET', '/sign-out', signOutForm),
  on('POST', '/sign-out', signOutSubmit),

  on('POST', '/api/sign-up', signUp),
  on('POST', '/api/sign-in', signIn),
  on('POST', '/api/sign-out', sessions.signOut),
  on('GET', '/api/session', sessions.currentSession),
  on('GET', '/api/sessions', sessions.listedSessions),
  on('DELETE', '/api/sessions', sessions.endedSessions),
  on('DELETE', '/api/sessions/:sid', sessions.endedSession),
  on('POST', '/api/password', changedPassword),
  on('POST', '/api/token', tokens.token),
  on('POST', '/api/refresh', tokens.refresh),
  on('GET', '/api/openapi.json', openapi),

  on('GET', '/api/demo/offline', demo.demoOffline),
  on('GET', '/api/demo/fresh', demo.demoFresh),
  on('GET', '/api/demo/live', demo.demoLive),
  on('GET', '/api/demo/session', demo.demoSession),

  on('POST', '/oauth/register', registration.registered),
  on('GET', '/oauth/register/:client_id', registration.readRegistration),
  on('PUT', '/oauth/register/:client_id', registration.changedRegistration),
  on('DELETE', '/oauth/register/:client_id', registration.removedRegistration),
  on('POST', '/oauth/register/:client_id/secret', registration.rotatedSecret),

  on('GET', '/admin/api/keys', admin.listedKeys),
  on('POST', '/admin/api/keys/rotate', admin.rotatedKeys),
  on('POST', '/admin/api/keys/:kid/revoke', admin.revokedKey),
  on('POST', '/admin/api/revocations/renew', admin.renewedRevocations),
  on('GET', '/admin/api/accounts', admin.foundAccount),
  on('POST', '/admin/api/accounts/:sub/ban', admin.bannedAccount),
  on('POST', '/admin/api/accounts/:sub/unban', admin.unbannedAccount),
  on('PUT', '/admin/api/accounts/:sub/roles', admin.setRoles),
  on('DELETE', '/admin/api/accounts/:sub/sessions', admin.endedAccountSessions),

  on('GET', '/dev/mailbox', mailbox),
  on('GET', '/dev/mailbox.json', mailboxJson),
]

/** The endpoints that answer as RFC 6749, 5.2 says; others of them answer people. */
const isOAuth = (c: AppContext) => c.req.path.startsWith('/oauth/') && !c.get('page')
const RETRY = { headers: { 'Retry-After': '1' } }

/** One writer. Everything that is not an expected refusal is a bug: 500, and a log line with what it was. */
function answerError(error: unknown, c: AppContext): Response | Promise<Response> {
  const answer = (code: ProblemCode, problem?: ApiError) =>
    c.get('page') ? problemPage(c, code, problem) : problemResponse(code, c.get('requestId'), problem)
  if (error instanceof ApiError) {
    log(c, 'info', 'refused', { code: error.code, status: PROBLEMS[error.code][0], ...(error.reason ? { reason: error.reason } : {}) })
    return answer(error.code, error)
  }
  if (error instanceof OAuthError) {
    log(c, 'info', 'refused', { error: error.error, status: error.status, reason: error.reason ?? error.description })
    return error.getResponse()
  }
  if (error instanceof TokenError) {
    if (error.code === 'verifier_unavailable' && isOAuth(c))
      return answerError(new ObjectUnavailable('verifier', { cause: error.reason }), c)
    log(c, 'info', 'token_refused', { code: error.code, status: error.status, reason: error.reason })
    return tokenProblemResponse(error, c.get('requestId'))
  }
  if (error instanceof ObjectUnavailable) {
    log(c, 'error', 'object_unavailable', { call: error.message, cause: String(error.cause) })
    if (isOAuth(c)) return new OAuthError('temporarily_unavailable', 'A part of the service cannot be reached.', RETRY).getResponse()
    return answer('unavailable', new ApiError('unavailable', { retryAfter: 1 }))
  }
  if (error instanceof SecretRingError) {
    log(c, 'error', 'misconfigured', { variable: 'SALLYPORT_SECRET' })
    const detail = 'SALLYPORT_SECRET: must still list the secret that the signing keys were made with; put new ones before it.'
    return answer('misconfigured', new ApiError('misconfigured', { detail, retryAfter: 60 }))
  }
  log(c, 'error', 'bug', {
    error: error instanceof Error ? `${error.name}: ${error.message}` : typeof error,
    stack: error instanceof Error ? error.stack : undefined,
  })
  return answer('internal_error')
}

/** OAuth endpoints that answer JSON, to apps in browsers as well. */
const CALLED_FROM_BROWSERS = ['token', 'revoke', 'userinfo', 'introspect', 'par', 'device_authorization', 'register/*'].map(
  (name) => `/oauth/${name}`,
)

/** `Bearer`, a space, and the longest token that is looked at; what is longer is refused before anything reads it. */
const MAX_AUTHORIZATION_LENGTH = MAX_BEARER_LENGTH + 'Bearer '.length

export const app = new Hono<AppEnv>({ router: new RememberingRouter() })

app.use(async (c, next) => {
  const requestId = crypto.randomUUID()
  c.set('requestId', requestId)
  const opened = await openServices(c.env)
  if (!opened.ok) {
    const { variable, remedy } = opened.problem
    log(c, 'error', 'misconfigured', { variable, remedy })
    const detail = `${variable} ${remedy}`
    c.res = problemResponse('misconfigured', requestId, new ApiError('misconfigured', { detail, retryAfter: 60 }))
    secureHeaders(c.res.headers, requestId)
    return
  }
  c.set('services', opened.services)
  c.set('objects', opened.services.objects)
  await next()
  // A socket has no headers to add to, and a copied response would lose it.
  if (c.res.status !== 101) secureHeaders(c.res.headers, requestId, opened.services.config)
})
app.use('/api/*', cors)
for (const path of CALLED_FROM_BROWSERS) app.use(path, publicCors)
app.use(async (c, next) => {
  if ((c.req.header('Authorization')?.length ?? 0) > MAX_AUTHORIZATION_LENGTH) throw new ApiError('headers_too_large')
  await next()
})
app.use('/admin/api/*', async (c, next) => {
  await admin.requireOperator(c)
  await next()
})

for (const { method, path, operation } of URL_MAP) {
  const { before, handle, page } = operation
  if (page)
    app.on(method, path, (c, next) => {
      c.set('page', page)
      return next()
    })
  if (before) app.on(method, path, before, handle)
  else app.on(method, path, handle)
}
for (const [path, mounted] of Map.groupBy(URL_MAP, ({ path }) => path)) {
  const methods: string[] = mounted.map(({ method }) => method)
  const Allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
  app.all(path, () => {
    throw new ApiError('method_not_allowed', { headers: { Allow } })
  })
}

// Answered, not thrown: what is thrown here would pass by the middleware that adds the headers.
app.notFound((c) => answerError(new ApiError('not_found'), c))
app.onError(answerError)
