// One Node server for one way to protect a route. Told by its parent over IPC what to run; ends with it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createVerifier, TokenError } from '../../../src/sdk/index.ts'
import { websocketFeed } from '../../../src/sdk/websocket.ts'

process.env.NODE_ENV = 'production'

const WHO = { sub: '0123456789012345678901', sid: '0123456789012345678901' }
const who = ({ sub, sid }) => ({ sub, sid })

/** The token checks of others, as functions of the header. */
const CHECKS = {
  async 'fast-jwt'({ publicPem, issuer }, cache) {
    const { createVerifier } = await import('fast-jwt')
    return createVerifier({ key: publicPem, algorithms: ['ES256'], allowedIss: issuer, allowedAud: issuer, cache })
  },
  async jsonwebtoken({ publicPem, issuer }) {
    const { default: jwt } = await import('jsonwebtoken')
    return (token) => jwt.verify(token, publicPem, { algorithms: ['ES256'], issuer, audience: issuer })
  },
}

/** The issuer is a name; its socket is what is talked to. */
function pushedVerifier({ issuer, port }) {
  const at = (url) => url.replace(/^(http|ws)s:\/\/[^/]+/, `$1://127.0.0.1:${port}`)
  const feed = websocketFeed({ connect: (url) => new WebSocket(at(url)) })
  return createVerifier({ issuer, audience: issuer, feed, fetch: (url, init) => fetch(at(url), init) })
}

const sendJson = (response, value) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}

async function sendRefusal(response, error) {
  if (!(error instanceof TokenError)) throw error
  const refusal = error.getResponse()
  response.writeHead(refusal.status, Object.fromEntries(refusal.headers)).end(await refusal.text())
}

/** What docs/sdk.md shows for `node:http` and fastify. */
const bearerRequest = ({ url, headers: { authorization = null } }) => ({ url, headers: { get: () => authorization } })

function sallyport(config) {
  const verifier = pushedVerifier(config)
  return createServer(async (request, response) => {
    try {
      const { claims } = await verifier.verifyNow(bearerRequest(request))
      sendJson(response, who(claims))
    } catch (error) {
      await sendRefusal(response, error)
    }
  })
}

async function fastify(register) {
  const { default: make } = await import('fastify')
  const app = make({ logger: false })
  register(app)
  await app.ready()
  return app.server
}

async function express(register) {
  const { default: make } = await import('express')
  const app = make()
  app.disable('x-powered-by')
  app.disable('etag')
  await register(app)
  return createServer(app)
}

const guardedFastify = (check) =>
  fastify((app) =>
    app.get('/', async (request, reply) => {
      try {
        return who(check(request.headers.authorization.slice(7)))
      } catch {
        return reply.code(401).send({ error: 'unauthorized' })
      }
    }),
  )

async function sessions(app, redis) {
  const { default: session } = await import('express-session')
  const options = { secret: 'bench', resave: false, saveUninitialized: false, cookie: { maxAge: 86_400_000 } }
  if (redis) {
    const { RedisStore } = await import('connect-redis')
    const { createClient } = await import('redis')
    const client = createClient({ url: redis.url })
    await client.connect()
    options.store = new RedisStore({ client, disableTouch: redis.disableTouch })
  }
  app.use(session(options))
  app.post('/sign-in', (request, response) => {
    request.session.who = WHO
    response.json({})
  })
  app.get('/', (request, response) => (request.session.who ? response.json(request.session.who) : response.status(401).json({})))
}

const SERVERS = {
  'node:http': () => createServer((_request, response) => sendJson(response, WHO)),
  fastify: () => fastify((app) => app.get('/', async () => WHO)),
  express: () => express((app) => app.get('/', (_request, response) => response.json(WHO))),
  sallyport,
  'sallyport on fastify': (config) => {
    const verifier = pushedVerifier(config)
    return fastify((app) =>
      app.get('/', async (request, reply) => {
        try {
          const { claims } = await verifier.verifyNow(bearerRequest(request))
          return who(claims)
        } catch (error) {
          return reply.code(error instanceof TokenError ? error.status : 500).send({})
        }
      }),
    )
  },
  'sallyport on express': (config) => {
    const verifier = pushedVerifier(config)
    return express((app) =>
      app.get('/', async (request, response) => {
        try {
          const { claims } = await verifier.verifyNow(bearerRequest(request))
          response.json(who(claims))
        } catch (error) {
          await sendRefusal(response, error)
        }
      }),
    )
  },
  'fast-jwt, cache': async (config) => guardedFastify(await CHECKS['fast-jwt'](config, 5000)),
  'fast-jwt': async (config) => guardedFastify(await CHECKS['fast-jwt'](config, false)),
  jsonwebtoken: async (config) => {
    const check = await CHECKS.jsonwebtoken(config)
    return express((app) =>
      app.get('/', (request, response) => {
        try {
          response.json(who(check(request.headers.authorization.slice(7))))
        } catch {
          response.status(401).json({})
        }
      }),
    )
  },
  'express-session': ({ redis }) => express((app) => sessions(app, redis)),
}

process.once('message', async ({ kind, config }) => {
  const server = (await SERVERS[kind](config)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.send({ port: server.address().port })
})
process.once('disconnect', () => process.exit())
