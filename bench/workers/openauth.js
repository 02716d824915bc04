// OpenAuth on KV, or in memory without it, as its documentation sets it up; `service` and `at-once` stand in for a sign-in.
import { issuer } from '@openauthjs/openauth'
import { CloudflareStorage } from '@openauthjs/openauth/storage/cloudflare'
import { MemoryStorage } from '@openauthjs/openauth/storage/memory'
import { createSubjects } from '@openauthjs/openauth/subject'
import { object, string } from 'valibot'

// It logs each request; silenced, so that the work is timed.
console.log = () => {}

const subjects = createSubjects({ user: object({ id: string(), email: string() }) })
let app

const ID = '0123456789012345678901'

const make = (env) =>
  issuer({
    subjects,
    storage: env.KV ? CloudflareStorage({ namespace: env.KV }) : MemoryStorage(),
    allow: async () => true,
    // The default of 60 s is KV's own minimum, and fails when the clock ticks in between.
    ttl: { reuse: 120 },
    providers: {
      service: {
        type: 'service',
        init() {},
        async client() {
          return { id: ID }
        },
      },
      'at-once': {
        type: 'at-once',
        init(routes, ctx) {
          routes.get('/authorize', (c) => ctx.success(c, { id: ID }))
        },
      },
    },
    success: async (ctx, { id }) => ctx.subject('user', { id, email: 'someone@example.test' }),
  })

export default {
  fetch(request, env, ctx) {
    app ??= make(env)
    return app.fetch(request, env, ctx)
  },
}
