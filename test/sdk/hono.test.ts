import { Hono } from 'hono'
import { expect, test } from 'vitest'
import {
  type AuthVariables,
  authenticate,
  authenticated,
  protectedResourceMetadata,
  requireRecentSignIn,
  requireRole,
  requireScope,
} from '../../src/sdk/hono.ts'
import { TokenError } from '../../src/sdk/index.ts'
import { end, fail, Issuer, makeKey } from './issuer.ts'

const signingKey = await makeKey('k1')

function appOf(issuer: Issuer): Hono<{ Variables: AuthVariables }> {
  const verifier = issuer.verifier()
  const app = new Hono<{ Variables: AuthVariables }>()
  app.use('/api/*', authenticate({ verifier }))
  app.get('/api/me', (c) => c.json({ sub: c.get('auth').claims.sub }))
  app.get('/api/notes', requireScope('notes:read'), (c) => c.text('notes'))
  app.get('/api/write', requireScope(['notes:read', 'notes:write']), (c) => c.text('written'))
  app.get('/api/admin', requireRole('admin'), (c) => c.text('admin'))
  app.get('/api/staff', requireRole(['admin', 'member']), (c) => c.text('staff'))
  app.get('/api/pay', requireRecentSignIn(60, { nowMs: () => issuer.nowMs }), (c) => c.text('paid'))
  app.get('/live', authenticate({ verifier, freshness: 'live' }), (c) => c.text(c.get('auth').freshness))
  app.get('/open', requireScope('notes:read'), (c) => c.text('open'))
  return app
}

const get = (app: Hono<{ Variables: AuthVariables }>, path: string, token?: string) =>
  app.request(path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })

test('a good token reaches the route, with its claims', async () => {
  const issuer = new Issuer(signingKey)
  const response = await get(appOf(issuer), '/api/me', await issuer.token())
  expect(await response.json()).toEqual({ sub: 'account-1' })
})

test('a missing token gets a challenge and problem details', async () => {
  const response = await get(appOf(new Issuer(signingKey)), '/api/me')
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
  expect(await response.json()).toMatchObject({ status: 401, code: 'token_missing' })
})

test('a revoked token, an outage and a token in the query each get their status', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  const token = await issuer.token()
  expect((await get(app, '/api/me?access_token=x', token)).status).toBe(400)
  issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
  const revoked = await get(app, '/api/me', token)
  expect(revoked.status).toBe(401)
  expect(revoked.headers.get('www-authenticate')).toBe('Bearer error="invalid_token", error_description="revoked"')
  issuer.onFeed = fail
  issuer.onCheck = fail
  issuer.advance(6000)
  const down = await get(app, '/api/me', await issuer.token({ sid: 'session-2' }))
  expect(down.status).toBe(503)
  expect(down.headers.get('retry-after')).toBe('1')
  expect(down.headers.get('www-authenticate')).toBeNull()
})

test('a route may ask for its own freshness', async () => {
  const issuer = new Issuer(signingKey)
  expect(await (await get(appOf(issuer), '/live', await issuer.token())).text()).toBe('live')
})

test('scopes are needed all, and named in the challenge', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  const token = await issuer.token()
  expect((await get(app, '/api/notes', token)).status).toBe(200)
  const refused = await get(app, '/api/write', token)
  expect(refused.status).toBe(403)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="notes:read notes:write"')
  expect(await refused.json()).toMatchObject({ code: 'insufficient_scope' })
})

test('one role of a list is enough', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  const token = await issuer.token()
  expect((await get(app, '/api/staff', token)).status).toBe(200)
  const refused = await get(app, '/api/admin', token)
  expect(refused.status).toBe(403)
  expect(await refused.json()).toMatchObject({ code: 'insufficient_role' })
  expect((await get(app, '/api/staff', await issuer.token({ roles: undefined }))).status).toBe(403)
})

test('a sign-in must be recent enough, and there must have been one', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  const pay = async (auth_time: number | undefined) => get(app, '/api/pay', await issuer.token({ auth_time }))
  expect((await pay(issuer.now - 60)).status).toBe(200)
  const refused = await pay(issuer.now - 61)
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe('Bearer error="insufficient_user_authentication", max_age="60"')
  expect((await pay(undefined)).status).toBe(401)
})

test('a requirement without authentication before it is an error, not a pass', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  app.onError((error, c) => c.text(error.message, 500))
  const response = await get(app, '/open', await issuer.token())
  expect(response.status).toBe(500)
  expect(await response.text()).toContain('authenticate()')
})

test('onError takes over the answer, and may throw to the app', async () => {
  const verifier = new Issuer(signingKey).verifier()
  const app = new Hono<{ Variables: AuthVariables }>()
  app.get('/a', authenticate({ verifier, onError: (error, c) => c.text(error.code, 418) }), (c) => c.text('in'))
  app.get(
    '/b',
    authenticate({
      verifier,
      onError: (error) => {
        throw error
      },
    }),
    (c) => c.text('in'),
  )
  app.onError((error, c) => c.text(`app: ${error.message}`, 401))
  const taken = await app.request('/a')
  expect([taken.status, await taken.text()]).toEqual([418, 'token_missing'])
  expect(await (await app.request('/b')).text()).toBe('app: A token is required.')
})

test('an error that is no refusal is not turned into one', async () => {
  const verifier = Object.assign(Object.create(new Issuer(signingKey).verifier()), { verifyNow: () => Promise.reject(new Error('a bug')) })
  const app = new Hono<{ Variables: AuthVariables }>()
  app.use(authenticate({ verifier }))
  app.onError((error, c) => c.text(error.message, 500))
  const response = await app.request('/')
  expect([response.status, await response.text()]).toEqual([500, 'a bug'])
})

test('background work is kept alive by the execution context', async () => {
  const issuer = new Issuer(signingKey)
  const app = appOf(issuer)
  const token = await issuer.token()
  await get(app, '/api/me', token)
  issuer.advance(2000)
  const work: Promise<unknown>[] = []
  const context = { waitUntil: (promise: Promise<unknown>) => void work.push(promise), passThroughOnException: () => {}, props: {} }
  const response = await app.request('/api/me', { headers: { authorization: `Bearer ${token}` } }, {}, context)
  expect(response.status).toBe(200)
  await Promise.all(work)
  expect(work).toHaveLength(1)
  expect(issuer.calls.feed).toBe(2)
})

test('a handler behind a check of its own is refused, and let in, as behind the middleware', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier({ resourceMetadata: 'https://api.example/.well-known/oauth-protected-resource' })
  const app = new Hono()
  app.get(
    '/me/:name',
    authenticated({ verifier }, (c) => {
      if (c.req.param('name') === 'fault') throw new Error('a bug')
      return c.json({ sub: c.get('auth').claims.sub satisfies string, name: c.req.param('name') })
    }),
  )
  app.onError((error, c) => c.text(error.message, 500))
  const ask = async (name: string, token?: string) => {
    const response = await app.request(`/me/${name}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
    return [response.status, await response.text()]
  }
  const token = await issuer.token()
  for (const time of ['first', 'second']) {
    expect(await ask(time, token)).toEqual([200, `{"sub":"account-1","name":"${time}"}`])
    expect(await ask('fault', token)).toEqual([500, 'a bug'])
  }
  const refused = await app.request('/me/x')
  expect(refused.headers.get('www-authenticate')).toBe(
    'Bearer resource_metadata="https://api.example/.well-known/oauth-protected-resource"',
  )
  expect(await ask('x', `${token}x`)).toMatchObject([401, expect.stringContaining('token_invalid')])
  issuer.deny({ kind: 'sid', id: 'session-1', end: end(issuer) })
  issuer.advance(6000)
  expect(await ask('x', token)).toMatchObject([401, expect.stringContaining('token_revoked')])
})

test('the context is typed: c.var.auth has the claims', async () => {
  const issuer = new Issuer(signingKey)
  const app = new Hono()
  app.get('/', authenticate({ verifier: issuer.verifier() }), (c) => {
    const { claims, freshness, cursor } = c.var.auth
    return c.json({ sub: claims.sub satisfies string, freshness, cursor })
  })
  const response = await app.request('/', { headers: { authorization: `Bearer ${await issuer.token()}` } })
  expect(await response.json()).toEqual({ sub: 'account-1', freshness: 'fresh', cursor: '00000000000000e1.0' })
})

test('a sign-in must be strong enough too', async () => {
  const issuer = new Issuer(signingKey)
  const app = new Hono<{ Variables: AuthVariables }>()
  const strong = requireRecentSignIn(60, { acr_values: ['2', '3'], nowMs: () => issuer.nowMs })
  app.get('/', authenticate({ verifier: issuer.verifier() }), strong, (c) => c.text('in'))
  expect((await get(app, '/', await issuer.token({ acr: '3' }))).status).toBe(200)
  const refused = await get(app, '/', await issuer.token({ acr: '1' }))
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
    401,
    'Bearer error="insufficient_user_authentication", acr_values="2 3", max_age="60"',
  ])
})

test('challenges name the protected resource metadata, those of requirements too', async () => {
  const issuer = new Issuer(signingKey)
  const resourceMetadata = 'https://api.example/.well-known/oauth-protected-resource'
  const app = new Hono<{ Variables: AuthVariables }>()
  app.get('/', authenticate({ verifier: issuer.verifier({ resourceMetadata }) }), requireScope('x'), (c) => c.text('in'))
  expect((await get(app, '/')).headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${resourceMetadata}"`)
  expect((await get(app, '/', await issuer.token())).headers.get('www-authenticate')).toBe(
    `Bearer error="insufficient_scope", scope="x", resource_metadata="${resourceMetadata}"`,
  )
})

test('the protected resource metadata is served as RFC 9728 says', async () => {
  const app = new Hono()
  const metadata = { resource: 'https://api.example', authorization_servers: ['https://auth.example'], scopes_supported: ['notes:read'] }
  app.get('/.well-known/oauth-protected-resource', protectedResourceMetadata(metadata))
  const response = await app.request('/.well-known/oauth-protected-resource')
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(await response.json()).toEqual({ ...metadata, bearer_methods_supported: ['header'] })
})

test.each([
  { resource: 'http://api.example', authorization_servers: ['https://auth.example'] },
  { resource: 'https://api.example/#a', authorization_servers: ['https://auth.example'] },
  { resource: 'api', authorization_servers: ['https://auth.example'] },
  { resource: 'https://api.example', authorization_servers: ['auth.example'] },
  { resource: 'https://api.example', authorization_servers: [] },
])('metadata that nobody could use stops the start: %j', (metadata) => {
  expect(() => protectedResourceMetadata(metadata)).toThrow(TypeError)
})

/** What an async function gives where somebody has replaced the global `Promise`: no instance of it. */
class ForeignPromise<T> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Promise'
  readonly #inner: Promise<T>
  constructor(inner: Promise<T>) {
    this.#inner = inner
  }
  // biome-ignore lint/suspicious/noThenProperty: a promise is a thing with a `then`.
  then: Promise<T>['then'] = (done, failed) => this.#inner.then(done, failed)
  catch: Promise<T>['catch'] = (failed) => this.#inner.catch(failed)
  finally: Promise<T>['finally'] = (last) => this.#inner.finally(last)
}

test('a promise that is no instance of the global Promise is waited for, and lets nobody in by itself', async () => {
  const issuer = new Issuer(signingKey)
  const verifier = issuer.verifier()
  const foreign = {
    resourceMetadata: undefined,
    verify: (...given: Parameters<typeof verifier.verify>) => new ForeignPromise(verifier.verify(...given)),
  }
  const app = new Hono<{ Variables: AuthVariables }>()
  app.use('/api/*', authenticate({ verifier: foreign }))
  app.get('/api/in', (c) => c.text('in'))
  app.get(
    '/alone',
    authenticated({ verifier: foreign }, (c) => c.text('in')),
  )
  for (const path of ['/api/in', '/alone']) {
    expect((await get(app, path)).status).toBe(401)
    expect((await get(app, path, await issuer.token())).status).toBe(200)
  }
})

test('a requirement that asks for nothing is a mistake of the program, and no open door', () => {
  for (const scope of ['', []]) expect(() => requireScope(scope)).toThrow('requires.scope')
  for (const roles of ['', []]) expect(() => requireRole(roles)).toThrow('requires.roles')
  expect(() => Reflect.apply(requireScope, null, [undefined])).toThrow('requires.scope')
  expect(() => Reflect.apply(requireRole, null, [undefined])).toThrow('requires.roles')
  expect(() => Reflect.apply(requireRecentSignIn, null, [undefined])).toThrow('requires.max_age')
  expect(() => requireRecentSignIn(60, { acr_values: [] })).toThrow('requires.acr_values')
})

test('what a handler throws is its own affair, a TokenError too: it goes to the app, once, and onError is not asked', async () => {
  const verifier = new Issuer(signingKey).verifier()
  const token = await new Issuer(signingKey).token()
  let asked = 0
  const onError = (): Response => {
    asked++
    return new Response('refused', { status: 418 })
  }
  const fault = new TokenError('token_expired', 'of another service')
  const app = new Hono()
  const thrown: unknown[] = []
  app.onError((error, c) => {
    thrown.push(error)
    return c.text('fault', 500)
  })
  const late = async (): Promise<Response> => {
    await Promise.resolve()
    throw fault
  }
  const now = (): Response => {
    throw fault
  }
  app.get('/alone/now', authenticated({ verifier, onError }, now))
  app.get('/alone/late', authenticated({ verifier, onError }, late))
  app.get('/behind/now', authenticate({ verifier, onError }), now)
  app.get('/behind/late', authenticate({ verifier, onError }), late)
  // The first waits for keys and the view; the others wait for nothing.
  for (const path of ['/alone/late', '/alone/now', '/alone/late', '/behind/now', '/behind/late']) {
    expect((await app.request(path, { headers: { authorization: `Bearer ${token}` } })).status).toBe(500)
  }
  expect(thrown).toEqual(Array.from({ length: 5 }, () => fault))
  expect(asked).toBe(0)
  expect((await app.request('/alone/now')).status).toBe(418)
})

test('a middleware that calls next twice runs the handler once', async () => {
  const verifier = new Issuer(signingKey).verifier()
  const token = await new Issuer(signingKey).token()
  const app = new Hono()
  let runs = 0
  app.use(async (_c, next) => {
    await next()
    await next()
  })
  app.get('/', authenticate({ verifier }), (c) => {
    runs++
    return c.text('ok')
  })
  app.onError((error, c) => c.text(error.message, 500))
  for (let i = 1; i <= 2; i++) {
    expect((await app.request('/', { headers: { authorization: `Bearer ${token}` } })).status).toBe(500)
    expect(runs).toBe(i)
  }
})
