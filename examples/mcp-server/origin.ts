// Which pages may call, by the Origin that their browser sends with what they ask.
import { createMiddleware } from 'hono/factory'
import { rpcError } from './rpc-error.ts'

type Bindings = { ALLOWED_ORIGINS: string }

export const originsOf = ({ ALLOWED_ORIGINS }: Bindings): string[] => ALLOWED_ORIGINS.split(',').flatMap((origin) => origin.trim() || [])

/**
 * Pages of other sites are not let in, at whatever name they reach this server (MCP, Transports, Security Warning: DNS rebinding). Clients
 * that are no pages send no Origin; one that is empty or `null` is not none.
 */
export const knownOrigin = createMiddleware<{ Bindings: Bindings }>(async (c, next) => {
  const origin = c.req.header('Origin')
  if (origin !== undefined && !originsOf(c.env).includes(origin)) return c.json(rpcError(-32000, 'this origin may not call'), 403)
  return next()
})
