import type { Context } from 'hono'
import type { Env } from '../env.ts'
import type { AuthVariables } from '../sdk/hono.ts'
import type { Objects } from './objects.ts'
import type { Services } from './services.ts'

export type AppEnv = {
  Bindings: Env
  Variables: AuthVariables & { requestId: string; page?: true; services: Services; objects: Objects }
}

export type AppContext = Context<AppEnv>
