import type { MiddlewareHandler } from 'hono'
import type * as v from 'valibot'
import { type BodySchema, readBody } from './body.ts'
import type { AppContext, AppEnv } from './context.ts'
import type { ProblemCode } from './problem.ts'

/** Who may call: `open` anybody, `session` the cookie or a first-party token, `cookie`, `bearer` any of our tokens, `operator` the admin token. */
export type Access = 'open' | 'session' | 'cookie' | 'bearer' | 'operator'

export type Answer = { description: string; schema?: BodySchema }

/** One method of one path: what it is for, what it takes, what it answers, and the code that does it. The OpenAPI document is made of these. */
export type Operation = {
  summary: string
  access: Access
  body?: BodySchema
  /** What a form of ours sends; read by `handle`, which shows the form again. */
  form?: BodySchema
  /** A page for people: what it refuses is a page too. */
  page?: true
  query?: Readonly<Record<string, string>>
  answers: Readonly<Record<number, Answer>>
  problems: readonly ProblemCode[]
  /** Runs first, and refuses by throwing. */
  before?: MiddlewareHandler<AppEnv>
  handle: (c: AppContext) => Promise<Response> | Response
}

/** An operation with a body: read and checked by its schema before `handle` sees it. */
export function withBody<S extends BodySchema>(
  operation: Omit<Operation, 'handle' | 'body'> & {
    body: S
    handle: (c: AppContext, body: v.InferOutput<S>) => Promise<Response> | Response
  },
): Operation {
  const { handle } = operation
  return { ...operation, handle: async (c) => handle(c, await readBody(c.req.raw, operation.body)) }
}

export const operation = (it: Operation): Operation => it
