// OpenAuth on KV, as its documentation sets it up, with one client that stands in for a sign-in.
import { issuer } from '@openauthjs/openauth'
import { CloudflareStorage } from '@openauthjs/openauth/storage/cloudflare'
import { createSubjects } from '@openauthjs/openauth/subject'
import { object, string } from 'valibot'

// It logs each request; silenced, so that the work is timed.
console.log = () => {}

const subjects = createSubjects({ user: object({ id: string(), email: string() }) })
let app

const make = (env) =>
  issuer({
    subjects,
    storage: CloudflareStorage({ namespace: env.KV }),
    allow: async () => true,
    // The default of 60 s is KV's own minimum, and fails when the clock ticks in between.
    ttl: { reuse: 120 },
    providers: {
      service: {
        type: 'service',
        init() {},
        async client() {
          return { id: '0123456789012345678901' }
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
