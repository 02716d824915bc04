import { toJsonSchema } from '@valibot/to-json-schema'
import type { BodySchema } from './body.ts'
import type { Access, Operation } from './operation.ts'
import { PROBLEMS, type ProblemCode } from './problem.ts'
import { ProblemAnswer } from './schemas.ts'

export type MountedOperation = { method: 'GET' | 'POST' | 'PUT' | 'DELETE'; path: string; operation: Operation }

const SECURITY: Readonly<Record<Access, readonly Record<string, readonly string[]>[]>> = {
  open: [],
  session: [{ cookie: [] }, { bearer: [] }],
  cookie: [{ cookie: [] }],
  bearer: [{ bearer: [] }],
  operator: [{ operator: [] }],
}

function jsonSchema(schema: BodySchema): object {
  const { $schema: _, ...rest } = toJsonSchema(schema, { errorMode: 'ignore', typeMode: 'input' })
  return rest
}

/** What every operation with a body, and every one at all, may answer beside its own problems. */
const BODY_PROBLEMS: readonly ProblemCode[] = ['invalid_request', 'malformed_json', 'body_too_large', 'unsupported_media_type']

/** What a bearer token may be refused with (sdk/token-error.ts); the challenge of RFC 6750 comes with it. */
const TOKEN_PROBLEMS: readonly [status: number, code: string][] = [
  [400, 'token_malformed'],
  [401, 'token_missing'],
  [401, 'token_invalid'],
  [401, 'token_expired'],
  [401, 'token_outdated'],
  [401, 'token_revoked'],
  [403, 'insufficient_scope'],
  [503, 'verifier_unavailable'],
]

/** A form is refused as a page is: all that is wrong with it is one 400. */
const FORM_PROBLEMS: readonly ProblemCode[] = ['invalid_request']

const HTML = { 'text/html': { schema: { type: 'string' } } }
const PROBLEM = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }

/** Every refusal that an operation may answer: one answer a status, its description naming the codes. */
function problemAnswers(codes: readonly ProblemCode[], byToken: boolean, content: object): Record<string, object> {
  const named = [...new Set(codes)].map((code): [number, string] => [PROBLEMS[code][0], `\`${code}\`: ${PROBLEMS[code][1]}`])
  const ofTokens = byToken ? TOKEN_PROBLEMS.map(([status, code]): [number, string] => [status, `\`${code}\`.`]) : []
  const byStatus = Map.groupBy([...named, ...ofTokens], ([status]) => status)
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [status, { description: same.map(([, text]) => text).join(' '), content }]),
  )
}

function describe({ method, path, operation }: MountedOperation): object {
  const pathParameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
  const queryParameters = Object.entries(operation.query ?? {}).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }))
  const answers = Object.entries(operation.answers).map(([status, { description, schema }]) => {
    const content = schema && { content: { 'application/json': { schema: jsonSchema(schema) } } }
    return [status, { description, ...content }]
  })
  const changesByCookie = operation.access === 'session' && method !== 'GET' ? (['cross_origin'] as const) : []
  return {
    summary: operation.summary,
    security: SECURITY[operation.access],
    ...(pathParameters.length + queryParameters.length > 0 ? { parameters: [...pathParameters, ...queryParameters] } : {}),
    ...(operation.body ? { requestBody: { content: { 'application/json': { schema: jsonSchema(operation.body) } } } } : {}),
    ...(operation.form
      ? { requestBody: { content: { 'application/x-www-form-urlencoded': { schema: jsonSchema(operation.form) } } } }
      : {}),
    responses: {
      ...Object.fromEntries(answers),
      ...problemAnswers(
        [
          ...operation.problems,
          ...(operation.body ? BODY_PROBLEMS : []),
          ...(operation.form ? FORM_PROBLEMS : []),
          ...(operation.query ? (['invalid_request'] as const) : []),
          ...changesByCookie,
          'headers_too_large',
          'unavailable',
        ],
        operation.access === 'session' || operation.access === 'bearer',
        operation.page ? HTML : PROBLEM,
      ),
    },
  }
}

/** The OpenAPI 3.1 description of the mounted operations, made from the schemas that validate. */
export function openApiDocument(issuer: string, mounted: readonly MountedOperation[]): object {
  const paths: Record<string, Record<string, object>> = {}
  for (const item of mounted) {
    const path = item.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [item.method.toLowerCase()]: describe(item) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Sallyport', version: '1', description: 'Sessions that can be revoked, tokens that verify anywhere.' },
    servers: [{ url: issuer }],
    paths,
    components: {
      schemas: { Problem: jsonSchema(ProblemAnswer) },
      securitySchemes: {
        cookie: { type: 'apiKey', in: 'cookie', name: '__Host-session' },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'at+jwt' },
        operator: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
