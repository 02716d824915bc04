// An API that verifies OpenAuth's tokens with its client. The issuer stands beside it in memory: it is asked for its keys once.
import { createClient } from '@openauthjs/openauth/client'
import { issuer } from '@openauthjs/openauth/issuer'
import { MemoryStorage } from '@openauthjs/openauth/storage/memory'
import { createSubjects } from '@openauthjs/openauth/subject'
import { Hono } from 'hono'
import { object, string } from 'valibot'

// It logs each request; silenced, so that the work is timed.
console.log = () => {}

const WHO = '0123456789012345678901'
const subjects = createSubjects({ user: object({ id: string(), sid: string() }) })
let server
let client

function open(origin) {
  server = issuer({
    subjects,
    storage: MemoryStorage(),
    allow: async () => true,
    providers: {
      service: {
        type: 'service',
        init() {},
        async client() {
          return { id: WHO }
        },
      },
    },
    success: async (ctx, { id }) => ctx.subject('user', { id, sid: id }),
  })
  client = createClient({ clientID: 'web', issuer: origin, fetch: (url, init) => server.fetch(new Request(url, init)) })
}

const app = new Hono()
app.use(async (c, next) => {
  if (server === undefined) open(new URL(c.req.url).origin)
  await next()
})
app.get('/', async (c) => {
  const header = c.req.header('authorization')
  const answer = await client.verify(subjects, header?.slice(7) ?? '')
  if (answer.err) return c.json({ error: 'unauthorized' }, 401)
  const { id, sid } = answer.subject.properties
  return c.json({ sub: id, sid })
})
app.all('*', (c) => server.fetch(c.req.raw, c.env))

export default app
