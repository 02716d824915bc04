import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Context, Hono } from 'hono'
import type { AppEnv } from '../../src/http/context.ts'
import { OAuthError } from '../../src/http/oauth/oauth-error.ts'
import { openServices } from '../../src/http/services.ts'
import { TokenError } from '../../src/sdk/index.ts'

export const ISSUER = 'http://localhost:8787'

/** An app with the services of this deployment and one handler; what the handler throws is answered as app.ts does. */
export function handling(handle: (c: Context<AppEnv>) => Promise<Response>): (request: Request) => Promise<Response> {
  const app = new Hono<AppEnv>()
  app.use(async (c, next) => {
    const opened = await openServices(c.env)
    if (!opened.ok) throw new Error(opened.problem.variable)
    c.set('services', opened.services)
    c.set('objects', opened.services.objects)
    await next()
  })
  app.all('*', handle)
  app.onError((error) => {
    if (error instanceof OAuthError || error instanceof TokenError) return error.getResponse()
    throw error
  })
  return async (request) => app.fetch(request, env, createExecutionContext())
}
