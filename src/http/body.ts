import * as v from 'valibot'
import { ApiError, type FieldError } from './problem.ts'

/** The largest body that is read, in bytes. */
export const MAX_BODY_BYTES = 16 * 1024

export type BodySchema = v.GenericSchema<unknown, unknown>

/** A body that breaks off in the middle rejects: the caller is gone, or lied about its length. */
const brokeOff = () => {
  throw new ApiError('invalid_request', { detail: 'The body broke off.' })
}

/** Reads at most MAX_BODY_BYTES; what is longer is refused before it is in memory. */
export async function readBytes(request: Request): Promise<Uint8Array> {
  const declared = request.headers.get('Content-Length')
  if (Number(declared ?? 0) > MAX_BODY_BYTES) throw new ApiError('body_too_large')
  // The runtime shows the length that it holds the caller to (none for chunks). Read at once: a reader costs as much as a signature.
  if (declared !== null && /^\d{1,5}$/.test(declared)) {
    const bytes = new Uint8Array(await request.arrayBuffer().catch(brokeOff))
    if (bytes.length > MAX_BODY_BYTES) throw new ApiError('body_too_large')
    return bytes
  }
  return readChunks(request)
}

/** A body of unknown length, given up as soon as it is too long. */
async function readChunks(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body?.getReader()
  for (;;) {
    const read = await reader?.read().catch(brokeOff)
    if (!read || read.done) break
    size += read.value.length
    if (size > MAX_BODY_BYTES) {
      await reader?.cancel()
      throw new ApiError('body_too_large')
    }
    chunks.push(read.value)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws for what is no UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string => utf8.decode(bytes)

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes))
  } catch {
    throw new ApiError('malformed_json')
  }
}

const isJson = (contentType: string) => /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType)

/**
 * The body of a request, as its schema's output. An empty body without a type counts as `{}`, so that a schema of optional members takes it.
 * Refuses with the code that says what is wrong, and for a schema's issues where.
 */
export async function readBody<S extends BodySchema>(request: Request, schema: S): Promise<v.InferOutput<S>> {
  const contentType = request.headers.get('Content-Type')
  if (contentType !== null && !isJson(contentType)) throw new ApiError('unsupported_media_type')
  const bytes = await readBytes(request)
  if (contentType === null && bytes.length > 0) throw new ApiError('unsupported_media_type')
  const value = bytes.length === 0 && contentType === null ? {} : parseJson(bytes)
  // Every body of ours is an object; a schema of optional members would let an array pass as one.
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError('invalid_request', { errors: [{ pointer: '', detail: 'must be a JSON object' }] })
  }
  return checkShape(schema, value)
}

/** A value as its schema's output; refuses by a schema's issues, with where they are: never with a value. */
export function checkShape<S extends BodySchema>(schema: S, value: unknown): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value, { abortPipeEarly: true })
  if (parsed.success) return parsed.output
  const errors = parsed.issues.map((issue): FieldError => {
    const path = (issue.path ?? []).map((item) => String(item.key).replaceAll('~', '~0').replaceAll('/', '~1'))
    return { pointer: path.map((key) => `/${key}`).join(''), detail: issue.received === 'undefined' ? 'is required' : issue.message }
  })
  throw new ApiError('invalid_request', { errors })
}
